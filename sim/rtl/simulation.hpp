// Clock, reset, memory and registers around the Verilated accelerator.
#pragma once

#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "Vwingrid.h"
#include "Vwingrid___024root.h"
#include "memory.hpp"
#include "verilated.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
#endif

void Vwingrid___024root___eval(Vwingrid___024root* root);  // what Verilator's eval() calls

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "wide ports are copied as bytes");

namespace wingrid {

constexpr uint32_t BUS_BYTES = WINGRID_BUS_BYTES;
constexpr uint32_t PAGE_BYTES = WINGRID_PAGE_BYTES;
constexpr uint32_t REGISTER_PATIENCE = 1000;

enum Status : int { LIMIT = 0, INTERRUPT = 1, STALLED = 2, FAILED = 3 };

// Which handshake; the values are those of Channel in simulator.py.
enum Channel : uint32_t { AR = 0, R = 1, AW = 2, W = 3, B = 4 };

// One handshake on the AXI4 master. `last` is RLAST or WLAST, `address` that of AR and AW.
struct Handshake {
    uint64_t cycle;
    uint64_t address;
    uint32_t channel;
    uint32_t beats;
    uint32_t last;
};

constexpr uint32_t log2(uint32_t value) { return value <= 1 ? 0 : 1 + log2(value / 2); }

template <typename Port>
void drive(Port& port, const uint8_t* bytes) {
    static_assert(sizeof(Port) >= BUS_BYTES, "the port carries a whole beat");
    std::memcpy(&port, bytes, BUS_BYTES);
}

// An engine event: bit `bit` of the `events` port was high.
struct EngineEvent {
    uint64_t cycle;
    uint32_t bit;
};

// The accelerator's `events` port; the device of a test may have none.
template <typename Top>
uint32_t events_of(const Top& top) {
    if constexpr (requires { top.events; }) return top.events;
    else return 0;
}

// Owns everything that it uses, so that several may live side by side, each in its own thread.
class Simulation {
public:
    Simulation(uint8_t* bytes, uint64_t base, uint64_t size, const MemoryTiming& timing, int seed, const char* waves)
        : contents{bytes, base, size, BUS_BYTES}, m_memory{memory_of(timing, contents, BUS_BYTES)} {
        m_context.randReset(2);  // what has no initial value starts at random
        m_context.randSeed(seed);
#if VM_TRACE_FST
        m_context.traceEverOn(true);
#endif
        m_top = std::make_unique<Vwingrid>(&m_context, "wingrid");
#if VM_TRACE_FST
        if (waves) {
            m_waves = std::make_unique<VerilatedFstC>();
            m_top->trace(m_waves.get(), 99);
            m_waves->open(waves);
        }
#else
        if (waves) throw std::runtime_error("built without waves");
#endif
        idle_inputs();
    }

    ~Simulation() {
        try {
            complete_waves();
        } catch (const std::exception&) {
            // Who wants to know has called it before.
        }
        m_top->final();
    }

    // Throws if they cannot be written. The writer is left alone then: its destructor would throw once more.
    void complete_waves() {
#if VM_TRACE_FST
        if (VerilatedFstC* const waves = m_waves.release()) {
            waves->close();
            delete waves;
        }
#endif
    }

    void reset(uint32_t cycles) {
        m_memory->reset();
        idle_inputs();
        m_top->rst = 1;
        for (uint32_t i = 0; i < cycles; ++i) {
            m_resetting = true;
            step();
        }
        m_resetting = false;
        m_top->rst = 0;
    }

    void write_register(uint32_t address, uint32_t value) {
        m_top->s_axil_awaddr = address;
        m_top->s_axil_wdata = value;
        m_top->s_axil_wstrb = 15;
        m_top->s_axil_awvalid = 1;
        m_top->s_axil_wvalid = 1;
        m_top->s_axil_bready = 1;
        for (uint32_t i = 0; i < REGISTER_PATIENCE; ++i) {
            step();
            if (m_sampled.register_b) {
                m_memory->restart(m_written);
                idle_registers();
                check_register("write to", address, m_sampled.register_response);
                return;
            }
            if (m_sampled.register_aw) m_top->s_axil_awvalid = 0;
            if (m_sampled.register_w) m_top->s_axil_wvalid = 0;
            if (m_sampled.register_aw || m_sampled.register_w) m_written = m_cycle;
        }
        register_timeout("write to", address);
    }

    uint32_t read_register(uint32_t address) {
        m_top->s_axil_araddr = address;
        m_top->s_axil_arvalid = 1;
        m_top->s_axil_rready = 1;
        for (uint32_t i = 0; i < REGISTER_PATIENCE; ++i) {
            step();
            if (m_sampled.register_r) {
                idle_registers();
                check_register("read of", address, m_sampled.register_response);
                return m_sampled.register_data;
            }
            if (m_sampled.register_ar) m_top->s_axil_arvalid = 0;
        }
        register_timeout("read of", address);
    }

    Status run(uint64_t limit, uint64_t patience) {
        for (uint64_t i = 0; i < limit; ++i) {
            step();
            if (m_sampled.interrupt) return INTERRUPT;
            if (m_cycle - m_quiet_since >= patience) return STALLED;
        }
        return LIMIT;
    }

    // Patience starts anew: the host has just done something.
    void attend() { m_quiet_since = m_cycle; }

    uint64_t cycle() const { return m_cycle; }

    // The cycle after that in which the last write to a register had come with its address and data.
    uint64_t written() const { return m_written; }

    std::string last_activity() const {
        if (!m_active) return "none since the start";
        static constexpr std::array<const char*, 5> names{"AR", "R", "AW", "W", "B"};
        char text[96];
        std::snprintf(text, sizeof text, "%s in cycle %" PRIu64, names[m_last.channel], m_last.cycle);
        std::string result{text};
        if (m_last.channel == AR || m_last.channel == AW) {
            std::snprintf(text, sizeof text, ", address 0x%08" PRIx64 ", %" PRIu32 " beats", m_last.address, m_last.beats);
            result += text;
        }
        return result;
    }

    Contents contents;
    std::vector<Handshake> handshakes;
    bool recording_handshakes = false;
    std::vector<EngineEvent> events;
    bool recording_events = false;
    std::string message;

private:
    // Signals sampled at the end of a cycle, for the callers of step().
    struct Sampled {
        bool interrupt = false;
        bool register_aw = false;
        bool register_w = false;
        bool register_b = false;
        bool register_ar = false;
        bool register_r = false;
        uint8_t register_response = 0;
        uint32_t register_data = 0;
    };

    void step() {
        // The accelerator's outputs come from registers, so they are known at the start of the cycle.
        const Asked asked{m_top->m_axi_arvalid != 0, m_top->m_axi_awvalid != 0};
        const Offer& offer = m_memory->begin(m_cycle, asked);
        m_top->m_axi_arready = offer.read_ready;
        m_top->m_axi_awready = offer.write_ready;
        m_top->m_axi_wready = offer.data_ready;
        m_top->m_axi_rvalid = offer.read;
        if (offer.read) {
            m_top->m_axi_rid = offer.read_id;
            m_top->m_axi_rresp = offer.read_response;
            m_top->m_axi_rlast = offer.last;
            drive(m_top->m_axi_rdata, offer.data);
        }
        m_top->m_axi_bvalid = offer.answer;
        if (offer.answer) {
            m_top->m_axi_bid = offer.answer_id;
            m_top->m_axi_bresp = offer.answer_response;
        }
        m_top->clk = 0;
        eval();
        dump(2 * m_cycle);
        sample_registers();
        if (!m_resetting) sample_bus(offer);
        if (recording_events) sample_events();
        m_top->clk = 1;
        eval();
        dump(2 * m_cycle + 1);
        ++m_cycle;
    }

    // Besides the accelerator itself, Verilator's eval() frees objects of classes and tells what threads have said, both
    // behind a lock. Hardware has neither; but the first one sets up the model, and waves ask for all of them.
    void eval() {
        if (m_cycle && !VM_TRACE_FST) Vwingrid___024root___eval(m_top->rootp);
        else m_top->eval();
    }

    void sample_registers() {
        m_sampled.interrupt = m_top->__SYM__interrupt;  // Verilator renames what C++ programs often define
        m_sampled.register_aw = m_top->s_axil_awvalid && m_top->s_axil_awready;
        m_sampled.register_w = m_top->s_axil_wvalid && m_top->s_axil_wready;
        m_sampled.register_b = m_top->s_axil_bvalid && m_top->s_axil_bready;
        m_sampled.register_ar = m_top->s_axil_arvalid && m_top->s_axil_arready;
        m_sampled.register_r = m_top->s_axil_rvalid && m_top->s_axil_rready;
        m_sampled.register_response = m_sampled.register_b ? m_top->s_axil_bresp : m_top->s_axil_rresp;
        m_sampled.register_data = m_top->s_axil_rdata;
    }

    void sample_bus(const Offer& offer) {
        const bool read_ready = m_top->m_axi_rready, answer_ready = m_top->m_axi_bready;
        if (m_top->m_axi_arvalid && offer.read_ready) {
            const Burst burst = request("read", m_top->m_axi_araddr, m_top->m_axi_arlen, m_top->m_axi_arsize,
                                        m_top->m_axi_arburst, m_top->m_axi_arid);
            note(Handshake{m_cycle, burst.address, AR, burst.beats, 0});
            m_memory->take_read(m_cycle, burst);
        }
        if (m_top->m_axi_awvalid && offer.write_ready) {
            const Burst burst = request("write", m_top->m_axi_awaddr, m_top->m_axi_awlen, m_top->m_axi_awsize,
                                        m_top->m_axi_awburst, m_top->m_axi_awid);
            note(Handshake{m_cycle, burst.address, AW, burst.beats, 0});
            m_memory->take_write(m_cycle, burst);
        }
        if (m_top->m_axi_wvalid && offer.data_ready) {
            note(Handshake{m_cycle, 0, W, 1, m_top->m_axi_wlast});
            m_memory->take_data(m_cycle, reinterpret_cast<const uint8_t*>(&m_top->m_axi_wdata),
                                reinterpret_cast<const uint8_t*>(&m_top->m_axi_wstrb), m_top->m_axi_wlast);
        }
        if (offer.read && read_ready) note(Handshake{m_cycle, 0, R, 1, offer.last});
        if (offer.answer && answer_ready) note(Handshake{m_cycle, 0, B, 1, 1});
        m_memory->end(m_cycle, read_ready, answer_ready);
    }

    void sample_events() {
        for (uint32_t high = events_of(*m_top); high; high &= high - 1)
            events.push_back(EngineEvent{m_cycle, static_cast<uint32_t>(__builtin_ctz(high))});
    }

    Burst request(const char* what, uint64_t address, uint32_t length, uint32_t size, uint32_t type, uint8_t id) const {
        const uint32_t beats = length + 1;
        const char* broken = nullptr;
        if (size != log2(BUS_BYTES)) broken = "beats narrower than the bus";
        else if (type != 1) broken = "a type other than INCR";
        else if (address % BUS_BYTES) broken = "an address that is no multiple of the bus width";
        else if (address % PAGE_BYTES + beats * BUS_BYTES > PAGE_BYTES) broken = "data on both sides of a 4 KiB boundary";
        if (!broken) return Burst{address, beats, id, 0};
        char text[160];
        std::snprintf(text, sizeof text, "a %s burst of %" PRIu32 " beats at 0x%08" PRIx64 " has %s", what, beats, address, broken);
        throw std::runtime_error(text);
    }

    void note(const Handshake& handshake) {
        m_last = handshake;
        m_active = true;
        m_quiet_since = handshake.cycle;
        if (recording_handshakes) handshakes.push_back(handshake);
    }

    void idle_inputs() {
        m_top->rst = 0;
        m_top->s_axil_awprot = 0;
        m_top->s_axil_arprot = 0;
        idle_registers();
    }

    void idle_registers() {
        m_top->s_axil_awvalid = 0;
        m_top->s_axil_wvalid = 0;
        m_top->s_axil_bready = 0;
        m_top->s_axil_arvalid = 0;
        m_top->s_axil_rready = 0;
    }

    [[noreturn]] void register_timeout(const char* what, uint32_t address) {
        idle_registers();
        char text[96];
        std::snprintf(text, sizeof text, "the %s register 0x%03" PRIx32 " was not answered", what, address);
        throw std::runtime_error(text);
    }

    void check_register(const char* what, uint32_t address, uint8_t response) const {
        if (response == OKAY) return;
        char text[96];
        std::snprintf(text, sizeof text, "the %s register 0x%03" PRIx32 " was answered with response %d", what, address, response);
        throw std::runtime_error(text);
    }

    void dump([[maybe_unused]] uint64_t time) {
#if VM_TRACE_FST
        if (m_waves) m_waves->dump(time);
#endif
    }

    VerilatedContext m_context;
    std::unique_ptr<Vwingrid> m_top;
#if VM_TRACE_FST
    std::unique_ptr<VerilatedFstC> m_waves;
#endif
    std::unique_ptr<Memory> m_memory;
    Sampled m_sampled;
    bool m_resetting = false;
    uint64_t m_cycle = 0;
    uint64_t m_quiet_since = 0;
    uint64_t m_written = 0;
    bool m_active = false;
    Handshake m_last{};
};

}  // namespace wingrid
