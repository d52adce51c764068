// The external memory behind the accelerator's AXI4 master. The timing rule is stated in sim/memory.py;
// the numbers in the comments here refer to its points.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "dram.hpp"

namespace wingrid {

enum Response : uint8_t { OKAY = 0, SLVERR = 2 };

struct Burst {
    uint64_t address;
    uint32_t beats;
    uint8_t id;
    uint64_t eligible;
};

// What the accelerator has valid in one cycle.
struct Asked {
    bool read = false;
    bool write = false;
};

// The values that memory drives in one cycle: its readiness for addresses and data, R and B.
struct Offer {
    bool read_ready = true;
    bool write_ready = true;
    bool data_ready = true;
    bool read = false;
    bool last = false;
    uint8_t read_id = 0;
    uint8_t read_response = OKAY;
    const uint8_t* data = nullptr;
    bool answer = false;
    uint8_t answer_id = 0;
    uint8_t answer_response = OKAY;
};

// A range of memory, counted from its first byte, whose accesses are answered with an error.
struct Trap {
    uint64_t first;
    uint64_t last;
    uint8_t response;
};

// The contents of memory and its responses, whatever its timing. Its first byte has the address `base` on the bus.
class Contents {
public:
    Contents(uint8_t* bytes, uint64_t base, uint64_t size, uint32_t bus_bytes)
        : m_bytes{bytes}, m_base{base}, m_size{size}, m_bus_bytes{bus_bytes}, m_zeros(bus_bytes) {}

    void trap(const Trap& range) { m_traps.push_back(range); }
    void clear_traps() { m_traps.clear(); }

    // Where in memory an address is; far beyond its end for one below its base.
    uint64_t place(uint64_t address) const { return address - m_base; }
    bool inside(uint64_t address, uint64_t length) const {
        return place(address) < m_size && length <= m_size - place(address);
    }
    uint8_t response(uint64_t address, uint64_t length) const {
        if (!inside(address, length)) return SLVERR;
        const uint64_t first = place(address);
        for (const Trap& range : m_traps)
            if (first <= range.last && range.first < first + length) return range.response;
        return OKAY;
    }
    const uint8_t* beat(uint64_t address) const { return m_bytes + place(address); }
    const uint8_t* zeros() const { return m_zeros.data(); }
    void store(uint64_t address, const uint8_t* data, const uint8_t* strobe) {
        for (uint32_t i = 0; i < m_bus_bytes; ++i)
            if (strobe[i / 8] >> (i % 8) & 1) m_bytes[place(address) + i] = data[i];
    }

private:
    uint8_t* const m_bytes;
    const uint64_t m_base;
    const uint64_t m_size;
    const uint32_t m_bus_bytes;
    const std::vector<uint8_t> m_zeros;
    std::vector<Trap> m_traps;
};

// A memory's timing. In every cycle: begin() says what it drives, then what it has taken is
// reported with the take_*() calls, then end().
class Memory {
public:
    explicit Memory(Contents& contents, uint32_t bus_bytes) : m_contents{contents}, m_bus_bytes{bus_bytes} {}
    virtual ~Memory() = default;
    virtual const Offer& begin(uint64_t cycle, const Asked& asked) = 0;
    virtual void take_read(uint64_t cycle, Burst burst) = 0;
    virtual void take_write(uint64_t cycle, Burst burst) = 0;
    virtual void take_data(uint64_t cycle, const uint8_t* data, const uint8_t* strobe, bool last) = 0;
    virtual void end(uint64_t cycle, bool read_ready, bool answer_ready) = 0;
    virtual void reset() = 0;
    // The accelerator was given something to do in that cycle.
    virtual void restart(uint64_t cycle) = 0;

protected:
    // The response to a beat of a read. A burst that leaves memory fails as a whole, a trap only in the beats that touch it.
    uint8_t read_response(const Burst& burst, uint64_t address) const {
        const uint64_t length = uint64_t{burst.beats} * m_bus_bytes;
        return m_contents.inside(burst.address, length) ? m_contents.response(address, m_bus_bytes) : uint8_t{SLVERR};
    }
    uint8_t burst_response(const Burst& burst) const {
        return m_contents.response(burst.address, uint64_t{burst.beats} * m_bus_bytes);
    }
    // Drives beat number `beat` of a read whose burst_response is `response`.
    void offer_beat(const Burst& burst, uint32_t beat, uint8_t response) {
        const uint64_t address = burst.address + uint64_t{beat} * m_bus_bytes;
        m_offer.read_response = response == OKAY ? OKAY : read_response(burst, address);
        m_offer.data = m_offer.read_response == OKAY ? m_contents.beat(address) : m_contents.zeros();
        m_offer.read_id = burst.id;
        m_offer.last = beat + 1 == burst.beats;
    }
    uint32_t strobe_bytes() const { return (m_bus_bytes + 7) / 8; }

    Contents& m_contents;
    const uint32_t m_bus_bytes;
    Offer m_offer;
};

// Reads and writes share one data bus.
class SharedBus final : public Memory {
public:
    SharedBus(Contents& contents, uint32_t bus_bytes, uint32_t latency, uint32_t write_latency, uint32_t bytes_per_cycle,
              const DramTiming& dram)
        : Memory{contents, bus_bytes}, m_latency{latency}, m_write_latency{write_latency}, m_bytes_per_cycle{bytes_per_cycle},
          m_dram{dram} {}

    const Offer& begin(uint64_t cycle, const Asked&) override {
        if (m_owner == Owner::NONE) grant(cycle);
        m_offer.read = m_owner == Owner::READ && m_elapsed + 1 == m_opening + bus_cycles(m_beat + 1);
        if (m_offer.read) offer_beat(m_burst, m_beat, m_burst_response);
        m_offer.answer = !m_answers.empty();
        if (m_offer.answer) {
            m_offer.answer_id = m_answers.front().id;
            m_offer.answer_response = m_answers.front().response;
        }
        return m_offer;
    }

    void take_read(uint64_t cycle, Burst burst) override {
        burst.eligible = cycle + m_latency;  // 1
        m_reads.push_back(burst);
    }

    void take_write(uint64_t cycle, Burst burst) override {
        m_addresses.push_back(burst);
        match_write(cycle);
    }

    void take_data(uint64_t cycle, const uint8_t* data, const uint8_t* strobe, bool last) override {
        m_data.insert(m_data.end(), data, data + m_bus_bytes);
        m_strobes.insert(m_strobes.end(), strobe, strobe + strobe_bytes());
        ++m_beats_arriving;
        if (!last) return;
        m_complete.push_back(m_beats_arriving);
        m_beats_arriving = 0;
        match_write(cycle);
    }

    void end(uint64_t, bool read_ready, bool answer_ready) override {
        if (m_offer.answer && answer_ready) m_answers.pop_front();
        if (m_owner == Owner::NONE || (m_offer.read && !read_ready)) return;  // 3: a beat not taken holds the bus
        if (m_offer.read) ++m_beat;
        if (++m_elapsed != m_hold) return;
        if (m_owner == Owner::WRITE) finish_write();
        m_owner = Owner::NONE;
    }

    void reset() override {
        m_owner = Owner::NONE;
        m_offer = Offer{};
        m_reads.clear();
        m_writes.clear();
        m_addresses.clear();
        m_complete.clear();
        m_answers.clear();
        m_data.clear();
        m_strobes.clear();
        m_beats_arriving = 0;
    }

    void restart(uint64_t cycle) override {
        m_restart = cycle;
        m_dram.restart();
    }

private:
    enum class Owner { NONE, READ, WRITE };
    struct Answer {
        uint8_t id;
        uint8_t response;
    };

    uint64_t bus_cycles(uint64_t beats) const { return (beats * m_bus_bytes + m_bytes_per_cycle - 1) / m_bytes_per_cycle; }

    void grant(uint64_t cycle) {  // 2
        if (m_dram.available(cycle - m_restart) != cycle - m_restart) return;  // 8
        const bool read = !m_reads.empty() && m_reads.front().eligible <= cycle;
        const bool write = !m_writes.empty() && m_writes.front().eligible <= cycle;
        if (!read && !write) return;
        const bool read_first = read && (!write || m_reads.front().eligible <= m_writes.front().eligible);
        std::deque<Burst>& queue = read_first ? m_reads : m_writes;
        m_owner = read_first ? Owner::READ : Owner::WRITE;
        m_burst = queue.front();
        queue.pop_front();
        m_beat = 0;
        m_elapsed = 0;
        m_opening = m_dram.open(m_contents.place(m_burst.address), cycle - m_restart);  // 7
        m_hold = m_opening + bus_cycles(m_burst.beats);
        m_burst_response = burst_response(m_burst);
    }

    void match_write(uint64_t cycle) {
        while (!m_addresses.empty() && !m_complete.empty()) {
            Burst burst = m_addresses.front();
            if (burst.beats != m_complete.front())
                throw std::runtime_error("a write burst of " + std::to_string(burst.beats) + " beats ended with WLAST after "
                                         + std::to_string(m_complete.front()));
            m_addresses.pop_front();
            m_complete.pop_front();
            burst.eligible = cycle + m_write_latency;  // 1
            m_writes.push_back(burst);
        }
    }

    void finish_write() {  // 5
        for (uint32_t beat = 0; beat < m_burst.beats; ++beat) {
            if (m_burst_response == OKAY)
                m_contents.store(m_burst.address + uint64_t{beat} * m_bus_bytes, &m_data[beat * m_bus_bytes],
                                 &m_strobes[beat * strobe_bytes()]);
        }
        m_data.erase(m_data.begin(), m_data.begin() + m_burst.beats * m_bus_bytes);
        m_strobes.erase(m_strobes.begin(), m_strobes.begin() + m_burst.beats * strobe_bytes());
        m_answers.push_back(Answer{m_burst.id, m_burst_response});  // 4
    }

    const uint32_t m_latency;
    const uint32_t m_write_latency;
    const uint32_t m_bytes_per_cycle;
    Dram m_dram;
    uint64_t m_restart = 0;
    uint64_t m_opening = 0;
    Owner m_owner = Owner::NONE;
    Burst m_burst{};
    uint8_t m_burst_response = OKAY;
    uint32_t m_beat = 0;
    uint64_t m_elapsed = 0;
    uint64_t m_hold = 0;
    std::deque<Burst> m_reads;
    std::deque<Burst> m_writes;
    std::deque<Burst> m_addresses;
    std::deque<uint32_t> m_complete;  // beats of data bursts whose address has not come yet
    uint32_t m_beats_arriving = 0;
    std::vector<uint8_t> m_data;
    std::vector<uint8_t> m_strobes;
    std::deque<Answer> m_answers;
};

// A bridge that passes one burst after the other. The numbers are those of the points that hold with a bridge.
class Bridge final : public Memory {
public:
    Bridge(Contents& contents, uint32_t bus_bytes, uint32_t latency, uint32_t write_latency, uint32_t read_beat,
           uint32_t write_beat)
        : Memory{contents, bus_bytes}, m_latency{latency}, m_write_latency{write_latency}, m_read_beat{read_beat},
          m_write_beat{write_beat} {}

    const Offer& begin(uint64_t cycle, const Asked& asked) override {
        const bool idle = m_state == State::IDLE, read_first = asked.read && !(asked.write && m_last_was_read);
        m_offer.read_ready = idle && read_first;  // 1
        m_offer.write_ready = idle && !read_first;
        m_offer.read = m_state == State::READ && cycle >= m_next;  // 2
        if (m_offer.read) offer_beat(m_burst, m_beat, m_response);
        m_offer.data_ready = m_state == State::WRITE && cycle >= m_next;  // 3
        m_offer.answer = m_state == State::ANSWER;
        if (m_offer.answer) {
            m_offer.answer_id = m_burst.id;
            m_offer.answer_response = m_response;
        }
        return m_offer;
    }

    void take_read(uint64_t cycle, Burst burst) override { open(State::READ, burst, cycle + m_latency); }
    void take_write(uint64_t cycle, Burst burst) override { open(State::WRITE, burst, cycle + m_write_latency); }

    void take_data(uint64_t cycle, const uint8_t* data, const uint8_t* strobe, bool last) override {
        const uint64_t address = m_burst.address + uint64_t{m_beat} * m_bus_bytes;
        if (last != (++m_beat == m_burst.beats))
            throw std::runtime_error("WLAST of a write burst of " + std::to_string(m_burst.beats) + " beats is wrong at beat "
                                     + std::to_string(m_beat));
        if (m_response == OKAY) m_contents.store(address, data, strobe);
        m_next = cycle + m_write_beat;
        if (last) m_state = State::ANSWER;
    }

    void end(uint64_t cycle, bool read_ready, bool answer_ready) override {
        if (m_offer.answer && answer_ready) m_state = State::IDLE;
        if (!m_offer.read || !read_ready) return;
        m_next = cycle + m_read_beat;
        if (++m_beat == m_burst.beats) m_state = State::IDLE;
    }

    void reset() override {
        m_state = State::IDLE;
        m_offer = Offer{};
        m_last_was_read = false;
    }

    void restart(uint64_t) override {}

private:
    enum class State { IDLE, READ, WRITE, ANSWER };

    void open(State state, const Burst& burst, uint64_t first) {
        m_state = state;
        m_burst = burst;
        m_response = burst_response(burst);
        m_beat = 0;
        m_next = first;
        m_last_was_read = state == State::READ;
    }

    const uint32_t m_latency;
    const uint32_t m_write_latency;
    const uint32_t m_read_beat;
    const uint32_t m_write_beat;
    State m_state = State::IDLE;
    Burst m_burst{};
    uint8_t m_response = OKAY;
    uint32_t m_beat = 0;
    uint64_t m_next = 0;  // the cycle of the next beat
    bool m_last_was_read = false;
};

// The fields of sim.memory.MemoryTiming; beats of no cycles stand for no bridge.
struct MemoryTiming {
    uint32_t latency;
    uint32_t write_latency;
    uint32_t bytes_per_cycle;
    uint32_t read_beat;
    uint32_t write_beat;
    DramTiming dram;
};

inline std::unique_ptr<Memory> memory_of(const MemoryTiming& timing, Contents& contents, uint32_t bus_bytes) {
    if (timing.read_beat)
        return std::make_unique<Bridge>(contents, bus_bytes, timing.latency, timing.write_latency, timing.read_beat,
                                        timing.write_beat);
    return std::make_unique<SharedBus>(contents, bus_bytes, timing.latency, timing.write_latency, timing.bytes_per_cycle,
                                       timing.dram);
}

}  // namespace wingrid
