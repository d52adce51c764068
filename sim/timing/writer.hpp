// The writing half of the bus master (hw/bus/write_master.py).
#pragma once

#include <deque>

#include "definitions.hpp"
#include "memory.hpp"
#include "times.hpp"

namespace wingrid {

class Writer {
public:
    Writer(const Parameters& parameters, Memory& memory) : m_parameters{parameters}, m_memory{memory} {}

    // The first cycle in which one more burst can be requested.
    Cycle room() const { return wingrid::room(m_left, m_requests, m_parameters.write_requests); }

    // A burst, or as many of one beat each, `beat_pitch` beats apart.
    void request(uint32_t address, uint32_t beats, uint32_t beat_pitch, Cycle cycle) {
        m_queue.push_back(Request{address, beats, beat_pitch, cycle + m_parameters.queue_latency});
        ++m_requests;
    }

    // Writes on as far as times are known; returns whether it could.
    bool run() {
        bool moved = false;
        for (; !m_queue.empty(); moved = true) {
            Request& request = m_queue.front();
            const bool apart = request.beat_pitch > 1;
            const Cycle answered = wingrid::room(m_answered, m_started.count(), m_parameters.writes_in_flight);
            const Cycle start = std::max({request.queued, m_taken + (apart ? 0 : NEXT), answered});
            if (!known(start)) break;
            const Cycle first = start + m_parameters.write_start_latency;
            m_started.add(start);
            const Burst burst{request.address, apart ? 1 : request.beats, BurstKind::WRITE, true, 0};
            request.address += request.beat_pitch * m_parameters.bus_bytes;
            request.beats -= burst.beats;
            if (!request.beats) {
                m_left.add(start);
                m_queue.pop_front();
            }
            beats += burst.beats;
            if (m_memory.bridged()) {
                m_taken = UNKNOWN;
                m_memory.write(burst, first);
            } else {
                const Cycle last = first + burst.beats - 1;
                m_memory.write(burst, last);
                written_until(last);
            }
        }
        return moved;
    }

    // The last beat of the burst that has started is taken in `cycle`.
    void written_until(Cycle cycle) {
        m_taken = cycle;
        m_written.push_back(Written{beats, cycle});
    }

    // Memory's response to the next burst is there in `cycle`.
    void answer(Cycle cycle) { m_answered.add(cycle); }

    // The cycle in which the first `wanted` beats were written.
    Cycle written(int64_t wanted) {
        if (wanted <= 0) return 0;
        while (!m_written.empty() && m_written.front().beats < wanted) m_written.pop_front();
        return m_written.empty() ? UNKNOWN : m_written.front().cycle;
    }

    bool done() const { return m_queue.empty() && m_answered.count() == m_started.count(); }
    // The first cycle in which nothing is requested or under way.
    Cycle idle_from() const { return m_answered.last() + NEXT; }

    int64_t beats = 0;

private:
    struct Request {
        uint32_t address;
        uint32_t beats;
        uint32_t beat_pitch;
        Cycle queued;
    };
    struct Written {
        int64_t beats;
        Cycle cycle;
    };

    const Parameters& m_parameters;
    Memory& m_memory;
    std::deque<Request> m_queue;
    std::deque<Written> m_written;
    Times m_left;  // the queue, with their last burst
    Times m_started;
    Times m_answered;
    ptrdiff_t m_requests = 0;
    Cycle m_taken = 0;  // the last beat so far
};

}  // namespace wingrid
