// The load engine (hw/load/load_engine.py): requests bursts, and signals when the last beat of an instruction has come.
#pragma once

#include "burst.hpp"
#include "definitions.hpp"
#include "memory.hpp"
#include "program.hpp"
#include "progress.hpp"
#include "record.hpp"
#include "semaphores.hpp"
#include "times.hpp"

namespace wingrid {

class LoadEngine {
public:
    LoadEngine(const Parameters& parameters, const Program& program, Semaphores& semaphores, Progress& progress,
               Record& record)
        : m_parameters{parameters}, m_program{program}, m_semaphores{semaphores}, m_progress{progress},
          m_record{record} {}

    // Starts the next instruction if its time is known; returns whether it is.
    bool run() {
        const ptrdiff_t number = m_progress.loads.count();
        if (m_runs || number >= m_progress.queued_loads.count()) return false;
        const Load& load = m_program.loads[number].fields;
        const Cycle cycle = std::max({m_progress.queued_loads.at(number), m_last_request + NEXT, queue_room(number),
                                      m_semaphores.available(load.wait, Semaphore::OPERANDS_RELEASED),
                                      m_semaphores.available(load.wait, Semaphore::PARAMETERS_RELEASED)})
                            + m_parameters.load_start_latency;
        if (!known(cycle)) return false;
        m_semaphores.take(load.wait, Semaphore::OPERANDS_RELEASED);
        m_semaphores.take(load.wait, Semaphore::PARAMETERS_RELEASED);
        m_record.event(Event::LOAD_STARTED, m_program.loads[number].index, cycle);
        m_progress.loads.add(cycle);
        m_ready = cycle + m_parameters.burst_latency;
        m_run = m_address = load.source;
        m_left = load.run_beats;
        m_runs = load.runs;
        return true;
    }

    // The first cycle in which the next burst is asked for.
    Cycle next_request() const { return m_runs ? m_ready : UNKNOWN; }

    Burst request(Cycle cycle) {
        const Load& load = m_program.loads[m_progress.loads.count() - 1].fields;
        const uint32_t beats = burst_beats(m_parameters, m_address, m_left);
        Burst burst{m_address, beats, BurstKind::LOAD, false, 0};
        m_ready = std::max(m_ready + m_parameters.burst_interval, cycle + NEXT);
        m_last_request = cycle;
        if (beats == m_left) {
            m_run += load.run_pitch;
            m_address = m_run;
            m_left = load.run_beats;
            burst.final = --m_runs == 0;
        } else {
            m_address += beats * m_parameters.bus_bytes;
            m_left -= beats;
        }
        return burst;
    }

    // A burst's last beat is in its buffer in `cycle`.
    void arrive(const Burst& burst, Cycle cycle) {
        const Numbered<Load>& load = m_program.loads[m_done.count()];
        bytes[load.fields.buffer] += uint64_t{burst.beats} * m_parameters.bus_bytes;
        if (!burst.final) return;
        for (const Semaphore semaphore :
             {Semaphore::WEIGHTS_LOADED, Semaphore::INPUTS_LOADED, Semaphore::PARAMETERS_LOADED})
            if (has(load.fields.signal, semaphore)) m_semaphores.signal(semaphore, cycle);
        m_record.event(Event::LOAD_ENDED, load.index, cycle);
        m_done.add(cycle);
    }

    bool done() const { return m_done.count() == static_cast<ptrdiff_t>(m_program.loads.size()); }
    // The first cycle in which nothing is queued, asked for or expected.
    Cycle idle_from() const { return std::max({m_progress.loads.last(), m_last_request, m_done.last()}) + NEXT; }

    uint64_t bytes[BUFFERS] = {};

private:
    // The first cycle in which the queue of expected instructions has room for one more. They leave it for the register
    // of the one whose beats are coming.
    Cycle queue_room(ptrdiff_t number) const {
        const ptrdiff_t left = number - m_parameters.queue_depth;
        return left < 0 ? 0 : std::max(m_progress.loads.at(left) + NEXT, m_done.at(left - 1)) + NEXT;
    }

    const Parameters& m_parameters;
    const Program& m_program;
    Semaphores& m_semaphores;
    Progress& m_progress;
    Record& m_record;
    Times m_done;
    Cycle m_last_request = 0;
    Cycle m_ready = 0;
    uint32_t m_run = 0;
    uint32_t m_address = 0;
    uint32_t m_left = 0;
    uint32_t m_runs = 0;
};

}  // namespace wingrid
