// The reading half of the bus master (hw/bus/read_master.py), shared by instruction fetch and load engine.
#pragma once

#include "definitions.hpp"
#include "fetch.hpp"
#include "load.hpp"
#include "memory.hpp"
#include "times.hpp"

namespace wingrid {

class Reader {
public:
    Reader(const Parameters& parameters, Fetch& fetch, LoadEngine& load, Memory& memory)
        : m_parameters{parameters}, m_fetch{fetch}, m_load{load}, m_memory{memory} {}

    // The cycle in which the next burst is taken, if nobody asks for one sooner.
    Cycle next() const {
        const Cycle asked = std::min(m_fetch.next_request(), m_load.next_request());
        return known(asked) ? std::max({asked, m_free, room(m_over, m_bursts, m_parameters.reads_in_flight)}) : UNKNOWN;
    }

    // Takes a burst in that cycle; fetch goes before load.
    void take(Cycle cycle) {
        const Burst burst = m_fetch.next_request() <= cycle ? m_fetch.request(cycle) : m_load.request(cycle);
        m_memory.read(burst, cycle + m_parameters.read_request_latency);
        m_free = m_memory.bridged() ? UNKNOWN : cycle + NEXT;
        ++m_bursts;
    }

    // The address of the oldest burst is taken in `cycle` by a bridge, so the next one can follow it.
    void accepted(Cycle cycle) { m_free = cycle; }

    // The last beat of the oldest burst is offered by memory in `cycle`.
    void arrive(const Burst& burst, Cycle cycle) {
        m_over.add(cycle);
        if (burst.kind == BurstKind::FETCH) m_fetch.arrive(cycle + m_parameters.read_beat_latency);
        else m_load.arrive(burst, cycle + m_parameters.read_beat_latency);
    }

private:
    const Parameters& m_parameters;
    Fetch& m_fetch;
    LoadEngine& m_load;
    Memory& m_memory;
    Cycle m_free = 0;  // from when on there is room for the address of one more
    ptrdiff_t m_bursts = 0;
    Times m_over;
};

}  // namespace wingrid
