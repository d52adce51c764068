// The external memory: the rule of sim/memory.py, burst by burst.
#pragma once

#include <deque>

#include "definitions.hpp"
#include "record.hpp"
#include "times.hpp"

namespace wingrid {

struct Burst {
    uint32_t address;
    uint32_t beats;
    BurstKind kind;
    bool final;  // the last one of its LOAD
    Cycle eligible;
};

class Memory {
public:
    Memory(const Parameters& parameters, Record& record) : m_parameters{parameters}, m_record{record}, m_dram{parameters.dram} {}

    // Whether it takes nothing before it can serve it: a bridge, which has no room for what waits.
    bool bridged() const { return m_parameters.bridge_read_beat != 0; }

    // The address of a read is offered in `cycle`, and taken unless there is a bridge.
    void read(Burst burst, Cycle cycle) {
        burst.eligible = bridged() ? cycle : cycle + m_parameters.memory_latency;
        m_reads.push_back(burst);
    }

    // The later of a write's address and its last beat is taken in `cycle`; by a bridge, its address is offered.
    void write(Burst burst, Cycle cycle) {
        burst.eligible = bridged() ? cycle : cycle + m_parameters.memory_write_latency;
        m_writes.push_back(burst);
    }

    // The cycle in which the next burst takes the bus, if none comes that is eligible sooner.
    Cycle next_grant() const {
        Cycle eligible = UNKNOWN;
        if (!m_reads.empty()) eligible = m_reads.front().eligible;
        if (!m_writes.empty()) eligible = std::min(eligible, m_writes.front().eligible);
        return known(eligible) ? static_cast<Cycle>(m_dram.available(std::max(eligible, m_free))) : UNKNOWN;
    }

    struct Granted {
        Burst burst;
        Cycle first;  // of its hold: a bridge takes its address in it
        Cycle last;   // of its hold: a read's last beat is offered in it, and a bridge takes a write's
    };

    Granted grant() {
        const Cycle cycle = next_grant();
        const bool read = reads_at(cycle);
        std::deque<Burst>& queue = read ? m_reads : m_writes;
        const Burst burst = queue.front();
        queue.pop_front();
        if (bridged()) return bridge(burst, read, cycle);
        const uint64_t bytes = uint64_t{burst.beats} * m_parameters.bus_bytes;
        const Cycle first = cycle + m_dram.open(burst.address, cycle);
        m_free = first + (bytes + m_parameters.memory_bytes_per_cycle - 1) / m_parameters.memory_bytes_per_cycle;
        m_record.transfer(Transfer{cycle, m_free - 1, burst.address, burst.beats, static_cast<uint32_t>(burst.kind)});
        return Granted{burst, cycle, m_free - 1};
    }

private:
    // Whether the burst that takes the bus in that cycle is a read.
    bool reads_at(Cycle cycle) const {
        if (m_reads.empty() || m_writes.empty()) return m_writes.empty();
        const Cycle read = m_reads.front().eligible, write = m_writes.front().eligible;
        if (bridged() && std::max(read, write) <= cycle) return !m_last_was_read;
        return read <= write;
    }

    Granted bridge(const Burst& burst, bool read, Cycle cycle) {
        const int64_t steps = int64_t{burst.beats} - 1;
        const Cycle last = read ? cycle + m_parameters.memory_latency + steps * m_parameters.bridge_read_beat
                                : cycle + m_parameters.memory_write_latency + steps * m_parameters.bridge_write_beat;
        m_last_was_read = read;
        // A write's response has a cycle of its own.
        m_free = last + NEXT + !read;
        m_record.transfer(Transfer{cycle, last, burst.address, burst.beats, static_cast<uint32_t>(burst.kind)});
        return Granted{burst, cycle, last};
    }

    const Parameters& m_parameters;
    Record& m_record;
    Dram m_dram;
    Cycle m_free = 0;
    bool m_last_was_read = false;
    std::deque<Burst> m_reads;
    std::deque<Burst> m_writes;
};

}  // namespace wingrid
