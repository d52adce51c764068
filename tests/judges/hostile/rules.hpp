// What the accelerator's two bus interfaces must obey, whatever their partners do: AMBA AXI, IHI 0022E.
#pragma once

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

namespace hostile {

struct Broken : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline void require(bool holds, const char* rule) {
    if (!holds) throw Broken{rule};
}

// A3.2.1: what is valid stays valid and the same until it is taken.
template <typename Payload>
class Steady {
public:
    void cycle(bool valid, bool ready, const Payload& payload, const char* rule) {
        if (m_waits) require(valid && payload == m_payload, rule);
        m_waits = valid && !ready;
        if (m_waits) m_payload = payload;
    }
    void reset() { m_waits = false; }

private:
    bool m_waits = false;
    Payload m_payload{};
};

struct Limits {
    uint32_t bus_bytes;
    uint32_t burst_beats;
    uint32_t reads_in_flight;
    uint32_t writes_in_flight;
};

struct Address {
    uint64_t address;
    uint32_t length, size, burst, id, cache, prot;
    bool operator==(const Address&) const = default;

    void check(const Limits& limits) const {
        const uint64_t bytes = uint64_t{length + 1} * limits.bus_bytes;
        require((1u << size) == limits.bus_bytes, "A3.4.1: beats are as wide as the bus");
        require(burst == 1, "A3.4.1: bursts increment");
        require(address % limits.bus_bytes == 0, "addresses are multiples of the bus width");
        require(address / 4096 == (address + bytes - 1) / 4096, "A3.4.1: a burst stays within 4 KiB");
        require(length + 1 <= std::max(limits.burst_beats, 64 / limits.bus_bytes), "bursts are no longer than configured");
        require(id == 0 && cache == 3 && prot == 0, "identity and attributes are constant");
    }
};

struct Beat {
    std::vector<uint8_t> data;
    bool last = false;
    bool operator==(const Beat&) const = default;
};

// The rules of the AXI4 master.
class MasterRules {
public:
    explicit MasterRules(const Limits& limits) : m_limits{limits} {}

    void reads(bool valid, bool ready, const Address& address) {
        m_ar.cycle(valid, ready, address, "A3.2.1: AR stays until it is taken");
        if (valid) address.check(m_limits);
        if (!valid || !ready) return;
        require(++m_reads <= m_limits.reads_in_flight, "no more reads in flight than configured");
    }
    void read_ended() { --m_reads; }

    void writes(bool valid, bool ready, const Address& address) {
        m_aw.cycle(valid, ready, address, "A3.2.1: AW stays until it is taken");
        if (valid) address.check(m_limits);
        if (!valid || !ready) return;
        require(++m_writes <= m_limits.writes_in_flight, "no more writes in flight than configured");
        m_lengths.push_back(address.length + 1);
        match();
    }
    void write_answered() { --m_writes; }

    void data(bool valid, bool ready, const Beat& beat, bool strobes) {
        m_w.cycle(valid, ready, beat, "A3.2.1: W stays until it is taken");
        if (!valid) return;
        require(strobes, "whole beats are written");
        if (!ready) return;
        ++m_beats;
        if (!m_lengths.empty()) require(m_beats <= m_lengths.front(), "A3.4.1: a burst has no more beats than AWLEN says");
        if (!beat.last) return;
        m_ended.push_back(m_beats);
        m_beats = 0;
        match();
    }

    bool quiet() const { return !m_reads && !m_writes && m_lengths.empty() && m_ended.empty() && !m_beats; }

private:
    void match() {
        while (!m_lengths.empty() && !m_ended.empty()) {
            require(m_lengths.front() == m_ended.front(), "A3.4.1: WLAST is with the last beat that AWLEN announces");
            m_lengths.pop_front();
            m_ended.pop_front();
        }
    }

    const Limits m_limits;
    Steady<Address> m_ar, m_aw;
    Steady<Beat> m_w;
    uint32_t m_reads = 0, m_writes = 0, m_beats = 0;
    std::deque<uint32_t> m_lengths, m_ended;
};

// The rules of the AXI4-Lite slave.
class SlaveRules {
public:
    void writes(bool address, bool data, bool response, bool taken, uint32_t code) {
        m_b.cycle(response, taken, code, "A3.2.1: B stays until it is taken");
        if (response) {
            require(m_addresses && m_data, "A3.3.1: no write response before address and data are taken");
            require(code == 0 || code == 2, "B1.1.1: responses are OKAY or SLVERR");
        }
        m_addresses += address - (response && taken);
        m_data += data - (response && taken);
    }
    void reads(bool address, bool response, bool taken, uint32_t code, uint32_t data) {
        m_r.cycle(response, taken, uint64_t{code} << 32 | data, "A3.2.1: R stays until it is taken");
        if (response) {
            require(m_read_addresses, "A3.3.1: no read data before the address is taken");
            require(code == 0 || code == 2, "B1.1.1: responses are OKAY or SLVERR");
        }
        m_read_addresses += address - (response && taken);
    }

private:
    Steady<uint32_t> m_b;
    Steady<uint64_t> m_r;
    int m_addresses = 0, m_data = 0, m_read_addresses = 0;
};

}  // namespace hostile
