// Partners with bad manners: a memory and a host that obey the protocol and nothing else.
#pragma once

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>
#include <random>

#include "rules.hpp"

namespace hostile {

class Dice {
public:
    explicit Dice(uint64_t seed) : m_engine{seed} {}
    uint64_t bits() { return m_engine(); }
    bool one_in(double n) { return unit() * n < 1; }
    bool chance(double p) { return unit() < p; }
    uint32_t below(uint32_t n) { return static_cast<uint32_t>(m_engine() % n); }
    // From 1 to most, small numbers as likely as large ones.
    uint32_t size(uint32_t most) { return static_cast<uint32_t>(std::exp(unit() * std::log(most + 1.0))); }
    double unit() { return static_cast<double>(m_engine() >> 11) * 0x1p-53; }

private:
    std::mt19937_64 m_engine;
};

// How a memory behaves for a while.
struct Manners {
    double ar_ready = 1, aw_ready = 1, w_ready = 1;  // how often each is high
    double r_valid = 1, b_valid = 1;                 // how often what is due is offered
    uint32_t latency = 1;                            // the most cycles from a burst to its first data or its response
    double errors = 0;                               // how many bursts fail

    static Manners random(Dice& dice, bool errors) {
        auto often = [&] { return dice.one_in(3) ? 1.0 : dice.one_in(4) ? 0.03 : dice.unit() * 0.95 + 0.05; };
        Manners manners{often(), often(), often(), often(), often(), dice.size(100), 0};
        if (dice.one_in(10)) manners.latency = dice.size(4000);
        if (errors) manners.errors = dice.one_in(2) ? 0.002 : dice.unit() * 0.2;
        return manners;
    }
};

// In memory: `place` counts from its first byte.
struct Burst {
    uint64_t place;
    uint32_t beats;
    uint64_t due;
    bool fails;
};

class Memory {
public:
    Memory(std::vector<uint8_t>& bytes, uint32_t bus_bytes) : m_bytes{bytes}, m_bus_bytes{bus_bytes} {}

    Manners manners;
    uint64_t base = 0;  // address of the first byte
    uint64_t errors = 0;

    // What is driven in this cycle.
    bool ar_ready = false, aw_ready = false, w_ready = false, r_valid = false, b_valid = false;
    bool r_last = false;
    uint8_t r_response = 0, b_response = 0;
    std::vector<uint8_t> r_data;

    void begin(Dice& dice, uint64_t cycle) {
        ar_ready = dice.chance(manners.ar_ready);
        aw_ready = dice.chance(manners.aw_ready);
        w_ready = dice.chance(manners.w_ready);
        if (!r_valid && !m_reads.empty() && m_reads.front().due <= cycle && dice.chance(manners.r_valid)) {
            const Burst& burst = m_reads.front();
            r_valid = true;
            r_last = m_beat + 1 == burst.beats;
            const uint64_t place = burst.place + uint64_t{m_beat} * m_bus_bytes;
            const bool outside = !inside(place, m_bus_bytes);
            r_response = outside || (burst.fails && (r_last || dice.one_in(3))) ? 2 + dice.below(2) : 0;
            r_data.assign(m_bus_bytes, static_cast<uint8_t>(dice.below(256)));
            if (r_response) ++errors;
            else std::copy_n(m_bytes.begin() + static_cast<long>(place), m_bus_bytes, r_data.begin());
        }
        if (!b_valid && !m_answers.empty() && m_answers.front().due <= cycle && dice.chance(manners.b_valid)) {
            b_valid = true;
            b_response = m_answers.front().fails ? 2 + dice.below(2) : 0;
            errors += b_response != 0;
        }
    }
    void take_read(Dice& dice, uint64_t cycle, uint64_t address, uint32_t beats) { m_reads.push_back(burst(dice, cycle, address, beats)); }
    void take_write(Dice& dice, uint64_t cycle, uint64_t address, uint32_t beats) {
        m_writes.push_back(burst(dice, cycle, address, beats));
        complete(dice, cycle);
    }
    void take_data(Dice& dice, uint64_t cycle, const uint8_t* data, bool last) {
        m_data.insert(m_data.end(), data, data + m_bus_bytes);
        m_complete += last;
        complete(dice, cycle);
    }
    // Whether the burst's last beat was taken.
    bool read_taken() {
        r_valid = false;
        if (++m_beat != m_reads.front().beats) return false;
        m_beat = 0;
        m_reads.pop_front();
        return true;
    }
    void answer_taken() {
        b_valid = false;
        m_answers.pop_front();
    }

private:
    bool inside(uint64_t place, uint64_t bytes) const { return place < m_bytes.size() && bytes <= m_bytes.size() - place; }
    Burst burst(Dice& dice, uint64_t cycle, uint64_t address, uint32_t beats) {
        return Burst{address - base, beats, cycle + dice.size(manners.latency), dice.chance(manners.errors)};
    }
    void complete(Dice& dice, uint64_t cycle) {
        while (m_complete && !m_writes.empty()) {
            Burst burst = m_writes.front();
            m_writes.pop_front();
            --m_complete;
            const uint64_t bytes = uint64_t{burst.beats} * m_bus_bytes;
            if (!inside(burst.place, bytes)) burst.fails = true;
            if (!burst.fails) std::copy_n(m_data.begin(), bytes, m_bytes.begin() + static_cast<long>(burst.place));
            m_data.erase(m_data.begin(), m_data.begin() + static_cast<long>(bytes));
            burst.due = cycle + dice.size(manners.latency);
            m_answers.push_back(burst);
        }
    }

    std::vector<uint8_t>& m_bytes;
    const uint32_t m_bus_bytes;
    uint32_t m_beat = 0, m_complete = 0;
    std::deque<Burst> m_reads, m_writes, m_answers;
    std::deque<uint8_t> m_data;
};

// One access to a register, each of its steps late by some cycles.
struct Access {
    uint32_t address = 0, data = 0, strobes = 15;
    uint32_t address_late = 0, data_late = 0, response_late = 0;
    bool address_done = false, data_done = false, done = false;
    uint32_t response = 0;
};

}  // namespace hostile
