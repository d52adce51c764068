// The program as it lies in memory, sorted by engine. Its format comes from hw/isa.py by way of definitions.hpp.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "definitions.hpp"

namespace wingrid {

template <typename Fields>
struct Numbered {
    Fields fields;
    uint32_t index;  // in the program
};

inline bool has(uint8_t mask, Semaphore semaphore) { return mask >> static_cast<int>(semaphore) & 1; }

struct Program {
    // Which engine an instruction goes to, and its number among those of the same kind.
    struct Place {
        Opcode opcode;
        uint32_t number;
    };

    std::vector<Place> order;
    std::vector<Numbered<Load>> loads;
    std::vector<Numbered<Execute>> executes;
    std::vector<Numbered<Store>> stores;

    Program(const uint8_t* bytes, uint32_t length, const Parameters& parameters) : m_parameters{parameters} {
        order.reserve(length);
        for (uint32_t index = 0; index < length; ++index) {
            const uint8_t* word = bytes + uint64_t{index} * INSTRUCTION_BYTES;
            switch (static_cast<Opcode>(word[0])) {
                case Opcode::LOAD: add(loads, Opcode::LOAD, word, index); break;
                case Opcode::EXECUTE: add(executes, Opcode::EXECUTE, word, index); break;
                case Opcode::STORE: add(stores, Opcode::STORE, word, index); break;
                default: refuse(index);
            }
        }
    }

private:
    template <typename Fields>
    void add(std::vector<Numbered<Fields>>& list, Opcode opcode, const uint8_t* word, uint32_t index) {
        Numbered<Fields> instruction;
        std::memcpy(&instruction.fields, word, sizeof(Fields));
        instruction.index = index;
        if (!legal(instruction.fields)) refuse(index);
        order.push_back(Place{opcode, static_cast<uint32_t>(list.size())});
        list.push_back(instruction);
    }

    // Rejects instructions with a zero count, or with a tile that this accelerator does not have.
    bool legal(const Load& load) const { return load.run_beats && load.runs && load.buffer < BUFFERS; }
    bool legal(const Execute& execute) const {
        return execute.count && execute.blocks && execute.kernel_height && execute.kernel_width && is_tile(execute.tile);
    }
    bool legal(const Store& store) const {
        return store.count && store.width && store.lines && store.first < store.width && is_tile(store.tile);
    }
    bool is_tile(uint32_t tile) const { return tile < TILE_ENTRIES && m_parameters.segment_tiles[tile]; }

    [[noreturn]] static void refuse(uint32_t index) {
        throw std::runtime_error("instruction " + std::to_string(index) + " is illegal");
    }

    const Parameters& m_parameters;
};

}  // namespace wingrid
