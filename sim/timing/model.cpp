// The timing model behind a C interface. Compiled once; definitions.hpp is generated from the Python sources.

#include <cstdio>
#include <exception>
#include <memory>

#include "machine.hpp"

#define WINGRID_API extern "C" __attribute__((visibility("default")))

using wingrid::Machine;

// Plays a program and fills in the counters. Returns null, with a message of at most `room` bytes in `error`, if it
// cannot end. The machine that is returned must be destroyed.
WINGRID_API Machine* wingrid_model_run(const wingrid::Parameters* parameters, const uint8_t* program, uint32_t length,
                                       uint32_t address, int recording, int64_t* counters, char* error, uint64_t room) {
    try {
        auto machine = std::make_unique<Machine>(*parameters, program, length, address, recording != 0);
        machine->run();
        machine->count(counters);
        return machine.release();
    } catch (const std::exception& problem) {
        std::snprintf(error, room, "%s", problem.what());
        return nullptr;
    }
}

WINGRID_API void wingrid_model_destroy(Machine* machine) { delete machine; }

WINGRID_API uint64_t wingrid_model_events(const Machine* machine, const wingrid::InstructionEvent** events) {
    *events = machine->record().events.data();
    return machine->record().events.size();
}

WINGRID_API uint64_t wingrid_model_transfers(const Machine* machine, const wingrid::Transfer** transfers) {
    *transfers = machine->record().transfers.data();
    return machine->record().transfers.size();
}
