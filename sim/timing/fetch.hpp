// Instruction fetch and dispatch (hw/control/fetch_engine.py).
#pragma once

#include "definitions.hpp"
#include "memory.hpp"
#include "program.hpp"
#include "progress.hpp"
#include "record.hpp"
#include "times.hpp"

namespace wingrid {

class Fetch {
public:
    Fetch(const Parameters& parameters, const Program& program, uint32_t address, Progress& progress, Record& record)
        : m_parameters{parameters}, m_program{program}, m_address{address}, m_progress{progress}, m_record{record} {}

    // The first cycle in which the next instruction is asked for.
    Cycle next_request() const {
        if (m_requested == length()) return UNKNOWN;
        const Cycle next = m_last_request + m_parameters.fetch_request_cycles;
        if (m_requested < m_parameters.fetch_ahead) return next;
        const Cycle made_room = m_dispatched.at(ptrdiff_t{m_requested} - m_parameters.fetch_ahead);
        return known(made_room) ? std::max(next, made_room + m_parameters.fetch_refill_latency) : UNKNOWN;
    }

    Burst request(Cycle cycle) {
        m_last_request = cycle;
        const uint32_t address = m_address + m_requested++ * INSTRUCTION_BYTES;
        return Burst{address, INSTRUCTION_BYTES / m_parameters.bus_bytes, BurstKind::FETCH, true, 0};
    }

    // An instruction's last beat is at the reader in `cycle`.
    void arrive(Cycle cycle) { m_arrived.add(cycle + m_parameters.queue_latency); }

    // Dispatches as far as times are known; returns whether anything was.
    bool run() {
        const ptrdiff_t before = m_dispatched.count();
        while (m_dispatched.count() < m_arrived.count()) {
            const Program::Place& place = m_program.order[m_dispatched.count()];
            const Cycle free = std::max(engine_free(place), fence(place));
            if (!known(free)) break;
            const Cycle at_head = std::max(m_arrived.at(m_dispatched.count()), m_dispatched.last() + NEXT);
            const Cycle cycle = std::max(at_head + m_parameters.decode_latency, free);
            m_record.event(Event::DISPATCHED, m_dispatched.count(), cycle);
            m_dispatched.add(cycle);
            const Cycle visible = cycle + m_parameters.queue_latency;
            switch (place.opcode) {
                case Opcode::LOAD: m_progress.queued_loads.add(visible); break;
                case Opcode::STORE: m_progress.queued_stores.add(visible); break;
                case Opcode::EXECUTE:
                    ++given(m_program.executes[place.number].fields);
                    m_progress.queued_executes.add(visible);
            }
        }
        return m_dispatched.count() != before;
    }

    bool done() const { return m_dispatched.count() == length(); }
    // The first cycle in which everything is dispatched.
    Cycle finished() const { return m_dispatched.last() + NEXT; }

private:
    ptrdiff_t length() const { return static_cast<ptrdiff_t>(m_program.order.size()); }

    // The first cycle in which the engine takes the instruction. An EXECUTE waits until the other source is done.
    Cycle engine_free(const Program::Place& place) const {
        const ptrdiff_t depth = m_parameters.queue_depth;
        const Progress& progress = m_progress;
        if (place.opcode == Opcode::LOAD) return room(progress.loads, place.number, depth);
        if (place.opcode == Opcode::STORE) return room(progress.stores, place.number, depth);
        const Execute& execute = m_program.executes[place.number].fields;
        const Cycle weights = room(progress.weights, m_direct + m_winograd, depth);
        const Cycle by_direct = left_by(progress.direct_done, m_direct);
        const Cycle by_winograd = left_by(progress.winograd_done, m_winograd);
        const Cycle by_lanes = settled(left_by(progress.sparse_done, m_sparse));
        const Cycle free =
            execute.sparse ? std::max({room(progress.sparse, m_sparse, depth), settled(by_direct), settled(by_winograd)})
            : execute.tile
                ? std::max({weights, room(progress.patches, m_winograd, depth), room(progress.blocks, m_winograd, depth),
                            by_direct, by_lanes})
                : std::max({weights, room(progress.direct, m_direct, depth), by_winograd, by_lanes});
        return free + m_parameters.execute_ready_latency;
    }

    // How many EXECUTEs of the same sort are dispatched.
    ptrdiff_t& given(const Execute& execute) { return execute.sparse ? m_sparse : execute.tile ? m_winograd : m_direct; }

    // The first cycle in which sums of mesh and sparse lanes cannot meet any more, if the other one is left in `left`.
    Cycle settled(Cycle left) const {
        return left && known(left) ? left + m_parameters.sparse_settling_cycles : left;
    }

    // The first cycle in which a LOAD may be dispatched that waits for the STOREs before it.
    Cycle fence(const Program::Place& place) const {
        if (place.opcode != Opcode::LOAD || !m_program.loads[place.number].fields.fence) return 0;
        const bool taken = m_progress.stores.count() == m_progress.queued_stores.count();
        return taken && known(m_progress.stored) ? m_progress.stored + m_parameters.fence_latency : UNKNOWN;
    }

    // The first cycle in which the other source of vectors leaves mesh and input buffer to this one.
    Cycle left_by(const Times& done, ptrdiff_t given) const {
        return given ? done.at(given - 1) + m_parameters.switch_latency : 0;
    }

    const Parameters& m_parameters;
    const Program& m_program;
    const uint32_t m_address;
    Progress& m_progress;
    Record& m_record;
    uint32_t m_requested = 0;
    Cycle m_last_request = 0;
    Times m_arrived;
    Times m_dispatched;
    ptrdiff_t m_direct = 0;
    ptrdiff_t m_winograd = 0;
    ptrdiff_t m_sparse = 0;
};

}  // namespace wingrid
