// A C interface to the simulation. Compiled once per configuration, with WINGRID_BUS_BYTES and WINGRID_PAGE_BYTES defined.

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

#include "simulation.hpp"

#define WINGRID_API extern "C" __attribute__((visibility("default")))

// Verilator's run-time library reports its fatal errors here; the default would end the whole process.
void vl_fatal(const char* file, int line, const char* /*scope*/, const char* message) {
    throw std::runtime_error(std::string{message} + " (" + file + ":" + std::to_string(line) + ")");
}

namespace wingrid {

// Runs an action; an exception becomes the status FAILED and the simulation's message.
template <typename Action>
int guarded(Simulation* simulation, Action action) {
    try {
        return action();
    } catch (const std::exception& error) {
        simulation->message = error.what();
        return FAILED;
    }
}

}  // namespace wingrid

using wingrid::Simulation;

// Writes a message of at most `room` bytes into `error` and returns null if it fails.
WINGRID_API Simulation* wingrid_create(uint8_t* bytes, uint64_t base, uint64_t size, const wingrid::MemoryTiming* timing,
                                       int seed, const char* waves, char* error, uint64_t room) {
    try {
        return new Simulation{bytes, base, size, *timing, seed, waves};
    } catch (const std::exception& problem) {
        std::snprintf(error, room, "%s", problem.what());
        return nullptr;
    }
}

WINGRID_API int wingrid_complete_waves(Simulation* simulation) {
    return wingrid::guarded(simulation, [=] { return simulation->complete_waves(), wingrid::LIMIT; });
}

WINGRID_API void wingrid_destroy(Simulation* simulation) { delete simulation; }

WINGRID_API int wingrid_reset(Simulation* simulation, uint32_t cycles) {
    return wingrid::guarded(simulation, [=] { return simulation->reset(cycles), wingrid::LIMIT; });
}

WINGRID_API int wingrid_write(Simulation* simulation, uint32_t address, uint32_t value) {
    return wingrid::guarded(simulation, [=] { return simulation->write_register(address, value), wingrid::LIMIT; });
}

WINGRID_API int wingrid_read(Simulation* simulation, uint32_t address, uint32_t* value) {
    return wingrid::guarded(simulation, [=] { return *value = simulation->read_register(address), wingrid::LIMIT; });
}

WINGRID_API void wingrid_attend(Simulation* simulation) { simulation->attend(); }

WINGRID_API int wingrid_run(Simulation* simulation, uint64_t limit, uint64_t patience) {
    return wingrid::guarded(simulation, [=] { return simulation->run(limit, patience); });
}

WINGRID_API uint64_t wingrid_cycle(const Simulation* simulation) { return simulation->cycle(); }

WINGRID_API uint64_t wingrid_written(const Simulation* simulation) { return simulation->written(); }

WINGRID_API const char* wingrid_message(const Simulation* simulation) { return simulation->message.c_str(); }

WINGRID_API void wingrid_last_activity(const Simulation* simulation, char* text, uint64_t room) {
    std::snprintf(text, room, "%s", simulation->last_activity().c_str());
}

WINGRID_API void wingrid_trap(Simulation* simulation, uint64_t first, uint64_t last, uint32_t response) {
    simulation->contents.trap(wingrid::Trap{first, last, static_cast<uint8_t>(response)});
}

WINGRID_API void wingrid_clear_traps(Simulation* simulation) { simulation->contents.clear_traps(); }

WINGRID_API void wingrid_record_handshakes(Simulation* simulation, int on) {
    simulation->recording_handshakes = on;
    simulation->handshakes.clear();
}

WINGRID_API uint64_t wingrid_handshakes(const Simulation* simulation, const wingrid::Handshake** handshakes) {
    *handshakes = simulation->handshakes.data();
    return simulation->handshakes.size();
}

WINGRID_API void wingrid_record_events(Simulation* simulation, int on) {
    simulation->recording_events = on;
    simulation->events.clear();
}

WINGRID_API uint64_t wingrid_events(const Simulation* simulation, const wingrid::EngineEvent** events) {
    *events = simulation->events.data();
    return simulation->events.size();
}
