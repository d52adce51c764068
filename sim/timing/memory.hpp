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

    // The address of a read is taken in `cycle`.
    void read(Burst burst, Cycle cycle) {
        burst.eligible = cycle + m_parameters.memory_latency;
        m_reads.push_back(burst);
    }

    // The later of a write's address and its last beat is taken in `cycle`.
    void write(Burst burst, Cycle cycle) {
        burst.eligible = cycle + m_parameters.memory_write_latency;
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
        Cycle last;  // the last cycle of its hold: a read's last beat is offered in it
    };

    Granted grant() {
        const Cycle cycle = next_grant();
        const bool read = !m_reads.empty() && (m_writes.empty() || m_reads.front().eligible <= m_writes.front().eligible);
        std::deque<Burst>& queue = read ? m_reads : m_writes;
        const Burst burst = queue.front();
        queue.pop_front();
        const uint64_t bytes = uint64_t{burst.beats} * m_parameters.bus_bytes;
        const Cycle first = cycle + m_dram.open(burst.address, cycle);
        m_free = first + (bytes + m_parameters.memory_bytes_per_cycle - 1) / m_parameters.memory_bytes_per_cycle;
        m_record.transfer(Transfer{cycle, m_free - 1, burst.address, burst.beats, static_cast<uint32_t>(burst.kind)});
        return Granted{burst, m_free - 1};
    }

private:
    const Parameters& m_parameters;
    Record& m_record;
    Dram m_dram;
    Cycle m_free = 0;
    std::deque<Burst> m_reads;
    std::deque<Burst> m_writes;
};

}  // namespace wingrid
