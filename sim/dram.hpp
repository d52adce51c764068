// Rows, banks and refresh of a DRAM: points 7 and 8 of the rule in sim/memory.py. The one source for the memory behind
// the RTL and for the timing model.
#pragma once

#include <cstdint>
#include <vector>

namespace wingrid {

// The fields of sim.memory.Dram; no banks stand for a memory without rows and refresh.
struct DramTiming {
    uint32_t banks;
    uint32_t row_bytes;
    uint32_t row_miss;
    uint32_t refresh_interval;
    uint32_t refresh_cycles;
};

// Cycles count from the restart, and are asked for in order.
class Dram {
public:
    explicit Dram(const DramTiming& timing) : m_timing{timing} { restart(); }

    void restart() {
        m_open.assign(m_timing.banks, NONE);
        m_refreshes = 0;
    }

    // The first cycle from `cycle` on in which no refresh keeps a burst from taking the bus.
    uint64_t available(uint64_t cycle) const {
        if (!m_timing.banks || cycle < m_timing.refresh_interval) return cycle;
        const uint64_t phase = cycle % m_timing.refresh_interval;
        return phase < m_timing.refresh_cycles ? cycle + m_timing.refresh_cycles - phase : cycle;
    }

    // Cycles without data with which a burst begins that takes the bus in that cycle.
    uint64_t open(uint64_t address, uint64_t cycle) {
        if (!m_timing.banks) return 0;
        const uint64_t refreshes = cycle / m_timing.refresh_interval;
        if (refreshes != m_refreshes) m_open.assign(m_timing.banks, NONE);
        m_refreshes = refreshes;
        const uint64_t row = address / m_timing.row_bytes;
        uint64_t& open = m_open[row % m_timing.banks];
        if (open == row) return 0;
        open = row;
        return m_timing.row_miss;
    }

private:
    static constexpr uint64_t NONE = UINT64_MAX;
    const DramTiming m_timing;
    std::vector<uint64_t> m_open;  // the open row of each bank
    uint64_t m_refreshes = 0;
};

}  // namespace wingrid
