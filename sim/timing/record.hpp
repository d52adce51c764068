// The events of instructions and the transfers on the bus, kept only if asked for.
#pragma once

#include <cstdint>
#include <vector>

#include "definitions.hpp"
#include "times.hpp"

namespace wingrid {

// An event with the instruction that it happened to.
struct InstructionEvent {
    Cycle cycle;
    uint32_t event;
    uint32_t instruction;
};

// A burst holds the data bus of memory from `first` to `last`.
struct Transfer {
    Cycle first;
    Cycle last;
    uint32_t address;
    uint32_t beats;
    uint32_t kind;  // BurstKind
};

enum class BurstKind : uint32_t { FETCH = 0, LOAD = 1, WRITE = 2 };

class Record {
public:
    explicit Record(bool wanted) : m_wanted{wanted} {}

    void event(Event event, uint32_t instruction, Cycle cycle) {
        if (m_wanted) events.push_back(InstructionEvent{cycle, static_cast<uint32_t>(event), instruction});
    }
    void transfer(const Transfer& transfer) {
        if (m_wanted) transfers.push_back(transfer);
    }

    std::vector<InstructionEvent> events;
    std::vector<Transfer> transfers;

private:
    const bool m_wanted;
};

}  // namespace wingrid
