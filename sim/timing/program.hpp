// The program as it lies in memory, sorted by engine. Its format comes from hw/isa.py by way of definitions.hpp.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "definitions.hpp"

namespace wingrid {

template <typename Fields>
struct Numbered {
    const Fields& fields;
    uint32_t index;  // in the program
};

// The instructions of one kind, where they lie in the program.
template <typename Fields>
class List {
public:
    explicit List(const uint8_t* bytes) : m_bytes{bytes} {}

    Numbered<Fields> operator[](size_t number) const {
        const uint32_t index = m_indices[number];
        return {*reinterpret_cast<const Fields*>(m_bytes + uint64_t{index} * INSTRUCTION_BYTES), index};
    }
    size_t size() const { return m_indices.size(); }
    void add(uint32_t index) { m_indices.push_back(index); }

private:
    static_assert(alignof(Fields) == 1);

    const uint8_t* const m_bytes;
    std::vector<uint32_t> m_indices;
};

inline bool has(uint8_t mask, Semaphore semaphore) { return mask >> static_cast<int>(semaphore) & 1; }

struct Program {
    // Which engine an instruction goes to, and its number among those of the same kind.
    struct Place {
        Opcode opcode;
        uint32_t number;
    };

    std::vector<Place> order;
    List<Load> loads;
    List<Execute> executes;
    List<Store> stores;

    // The bytes must stay where they are.
    Program(const uint8_t* bytes, uint32_t length, const Parameters& parameters)
        : loads{bytes}, executes{bytes}, stores{bytes}, m_parameters{parameters} {
        order.reserve(length);
        for (uint32_t index = 0; index < length; ++index) {
            switch (static_cast<Opcode>(bytes[uint64_t{index} * INSTRUCTION_BYTES])) {
                case Opcode::LOAD: add(loads, Opcode::LOAD, index); break;
                case Opcode::EXECUTE: add(executes, Opcode::EXECUTE, index); break;
                case Opcode::STORE: add(stores, Opcode::STORE, index); break;
                default: refuse(index);
            }
        }
    }

private:
    template <typename Fields>
    void add(List<Fields>& list, Opcode opcode, uint32_t index) {
        order.push_back(Place{opcode, static_cast<uint32_t>(list.size())});
        list.add(index);
        if (!legal(list[list.size() - 1].fields)) refuse(index);
    }

    // Rejects instructions with a zero count, or with a tile, table, sparse format, code or addends that this
    // accelerator does not have.
    bool legal(const Load& load) const {
        switch (static_cast<Buffer>(load.buffer)) {
            case Buffer::INPUTS:
            case Buffer::WEIGHTS:
            case Buffer::PARAMETERS: break;
            case Buffer::TABLES:
                if (!m_parameters.tables) return false;
                break;
            case Buffer::ADDENDS:
                if (!m_parameters.addends) return false;
                break;
            case Buffer::CODES:
                if (!m_parameters.code_entries) return false;
                break;
            default: return false;
        }
        return load.run_beats && load.runs && load.fence <= 1;
    }
    bool legal(const Execute& execute) const {
        const bool known = execute.sparse < m_parameters.sparse_formats && !(execute.sparse && execute.tile)
                           && (!execute.coded || (execute.coded == 1 && m_parameters.code_entries && execute.tile));
        return execute.count && execute.blocks && execute.kernel_height && execute.kernel_width && is_tile(execute.tile)
               && known;
    }
    bool legal(const Store& store) const {
        return store.count && store.width && store.lines && store.first < store.width && is_tile(store.tile)
               && store.table <= m_parameters.tables && (!store.combination || store.addend_base < m_parameters.addends);
    }
    bool is_tile(uint32_t tile) const { return tile < TILE_ENTRIES && m_parameters.segment_tiles[tile]; }

    [[noreturn]] static void refuse(uint32_t index) {
        throw std::runtime_error("instruction " + std::to_string(index) + " is illegal");
    }

    const Parameters& m_parameters;
};

}  // namespace wingrid
