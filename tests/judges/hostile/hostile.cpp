// The Verilated accelerator among hostile partners, in rounds; behind a C interface.
//
// A round: the memory takes random manners, a program starts, and the host reads and writes registers at random. Bursts may
// fail, and a soft reset may come at any moment. Then follows a clean run, with other manners and without errors, whose
// results, counters and memory have to be exactly right.

#include <memory>

#include "Vwingrid.h"
#include "partner.hpp"
#include "verilated.h"

#define HOSTILE_API extern "C" __attribute__((visibility("default")))

void vl_fatal(const char* file, int line, const char* /*scope*/, const char* message) {
    throw std::runtime_error(std::string{message} + " (" + file + ":" + std::to_string(line) + ")");
}

namespace hostile {

constexpr uint32_t BUS_BYTES = WINGRID_BUS_BYTES;

// Addresses and bits of wingrid.hw.registers, as Python hands them over.
struct Map {
    uint32_t control, status, interrupt_enable, interrupt_pending, fault, program, program_length, base, base_high;
    uint32_t counters, counter_count, register_bits;
    uint32_t start, reset;
    uint32_t running, done, faulty, resetting;
    uint32_t read_error, write_error;
    uint32_t address_bits;  // of the accelerator's own addresses
};

struct Program {
    std::vector<uint8_t> before, after;
    uint32_t address, length;
    std::vector<uint64_t> counters;  // what each has to be; UINT64_MAX for any value
};

struct Totals {
    uint64_t cycles = 0, errors = 0, resets = 0, resets_running = 0, faults = 0, accesses = 0, finished = 0;
};

class Machine {
public:
    Machine(const Limits& limits, const Map& map, uint64_t seed)
        : m_map{map}, m_rules{limits}, m_dice{seed}, m_memory{m_bytes, BUS_BYTES} {
        m_context.randReset(2);
        m_context.randSeed(static_cast<int>(seed % 0x7fffffff) + 1);
        m_top = std::make_unique<Vwingrid>(&m_context, "wingrid");
        m_top->rst = 1;
        for (int i = 0; i < 4; ++i) clock();
        m_top->rst = 0;
    }
    ~Machine() { m_top->final(); }

    std::vector<Program> programs;
    Totals totals;
    std::string message;

    void round(uint64_t seed) {
        m_dice = Dice{seed};
        trouble();
        if (status() != m_map.done || m_dice.one_in(2)) soft_reset();
        m_memory.manners = Manners::random(m_dice, false);
        clean_run();
        totals.cycles = m_cycle;
        totals.errors = m_memory.errors;
    }

private:
    const Program& load() {
        const Program& program = programs[m_dice.below(static_cast<uint32_t>(programs.size()))];
        std::copy(program.before.begin(), program.before.end(), m_bytes.begin());
        return program;
    }

    void begin(const Program& program) {
        write(m_map.interrupt_pending, 1);
        write(m_map.interrupt_enable, 1);
        // Memory lies elsewhere for each program, at a multiple of its size, so that it never lies on both ends of what
        // addresses reach.
        m_memory.base = (m_dice.bits() >> (64 - m_map.address_bits)) / m_bytes.size() * m_bytes.size();
        write(m_map.base, static_cast<uint32_t>(m_memory.base));
        write(m_map.base_high, static_cast<uint32_t>(m_memory.base >> 32));
        write(m_map.program, program.address);
        write(m_map.program_length, program.length);
        write(m_map.control, m_map.start);
    }

    // A program that may fail or be abandoned.
    void trouble() {
        m_memory.manners = Manners::random(m_dice, m_dice.one_in(2));
        const uint64_t errors = m_memory.errors;
        const Program& program = load();
        begin(program);
        const uint64_t until = m_cycle + (m_dice.one_in(2) ? m_dice.size(300) : m_dice.below(20000));
        const double accesses = m_dice.one_in(3) ? 0 : m_dice.unit() * 0.3;
        const bool rude = m_dice.one_in(2);
        bool disturbed = false;
        while (m_cycle < until && !m_top->__SYM__interrupt) {
            if (!m_write && m_dice.chance(accesses)) disturbed |= random_write(rude);
            if (!m_read && m_dice.chance(accesses)) random_read();
            if (m_dice.one_in(400)) m_memory.manners = Manners::random(m_dice, m_memory.manners.errors > 0);
            step();
        }
        finish_accesses();
        if (disturbed || !m_top->__SYM__interrupt) return;
        // It stopped by itself, and nobody has written to the registers that matter.
        const uint32_t state = status();
        if (state & m_map.faulty) {
            ++totals.faults;
            const uint32_t fault = read(m_map.fault);
            require(fault == m_map.read_error || fault == m_map.write_error, "no fault but for errors on the bus");
            require(m_memory.errors > errors, "no fault without an error on the bus");
        } else {
            require(state == m_map.done, "a machine that stopped is done or faulty");
            require(m_memory.errors == errors, "no error on the bus without a fault");
            check(program);
        }
    }

    // True if it may matter to the program.
    bool random_write(bool rude) {
        Access access;
        access.address = m_dice.below(1u << m_map.register_bits);
        access.data = m_dice.one_in(2) ? m_dice.below(8) : static_cast<uint32_t>(m_dice.unit() * 0x1p32);
        access.strobes = m_dice.one_in(2) ? 15 : m_dice.below(16);
        late(access);
        const bool control = (access.address & ~3u) == m_map.control;
        if (!rude && control) access.data &= ~m_map.reset;
        const bool harmless = !control && (access.address & ~3u) != m_map.interrupt_enable
                              && (access.address & ~3u) != m_map.interrupt_pending;
        if (!rude && !harmless) return false;
        m_write = access;
        ++totals.accesses;
        return !harmless;
    }

    void random_read() {
        Access access;
        access.address = m_dice.below(1u << m_map.register_bits);
        late(access);
        m_read = access;
        ++totals.accesses;
    }

    void late(Access& access) {
        if (m_dice.one_in(2)) return;
        access.address_late = m_dice.size(20) - 1;
        access.data_late = m_dice.size(20) - 1;
        access.response_late = m_dice.size(20) - 1;
    }

    void soft_reset() {
        ++totals.resets;
        totals.resets_running += (status() & m_map.running) != 0;
        write(m_map.control, m_map.reset);
        m_memory.manners = Manners::random(m_dice, m_dice.one_in(2));
        m_memory.manners.latency = std::min(m_memory.manners.latency, 500u);
        const uint64_t since = m_cycle;
        while (status() & m_map.resetting) require(m_cycle - since < 1'000'000, "a soft reset ends when the bus is quiet");
        require(m_rules.quiet(), "a soft reset ends no sooner than the last burst");
        require(status() == 0, "after a soft reset the machine is idle, without fault and not done");
    }

    void clean_run() {
        const Program& program = load();
        begin(program);
        const uint64_t since = m_cycle;
        const double reads = m_dice.one_in(2) ? 0 : m_dice.unit() * 0.2;
        while (!m_top->__SYM__interrupt) {
            if (!m_read && m_dice.chance(reads)) random_read();
            step();
            require(m_cycle - since < 10'000'000, "a program ends");
        }
        finish_accesses();
        require(status() == m_map.done, "a clean run is done without fault");
        check(program);
        require(m_rules.quiet(), "no burst outlives its program");
        ++totals.finished;
    }

    void check(const Program& program) {
        require(m_bytes == program.after, "memory holds the results, and what it held elsewhere");
        uint64_t cycles = 0, parts = 0;
        for (uint32_t i = 0; i < m_map.counter_count; ++i) {
            const uint64_t low = read(m_map.counters + 8 * i), high = read(m_map.counters + 8 * i + 4);
            const uint64_t value = high << 32 | low;
            if (i == 0) cycles = value;
            else if (i <= 8) parts += value;
            require(program.counters[i] == UINT64_MAX || program.counters[i] == value, "counters of work and bytes are exact");
        }
        require(cycles == parts, "every cycle is busy or one stall");
    }

    uint32_t status() { return read(m_map.status); }

    void write(uint32_t address, uint32_t data) {
        finish_accesses();
        Access access;
        access.address = address;
        access.data = data;
        late(access);
        m_write = access;
        while (m_write) step();
        require(m_last_response == 0, "a write to a register is accepted");
    }

    uint32_t read(uint32_t address) {
        finish_accesses();
        Access access;
        access.address = address;
        late(access);
        m_read = access;
        while (m_read) step();
        require(m_last_response == 0, "a read of a register is accepted");
        return m_last_data;
    }

    void finish_accesses() {
        while (m_write || m_read) step();
    }

    void clock() {
        m_top->clk = 0;
        m_top->eval();
        m_top->clk = 1;
        m_top->eval();
    }

    void step() {
        drive_memory();
        drive_host();
        m_top->clk = 0;
        m_top->eval();
        watch_bus();
        watch_host();
        m_top->clk = 1;
        m_top->eval();
        ++m_cycle;
    }

    void drive_memory() {
        m_memory.begin(m_dice, m_cycle);
        m_top->m_axi_arready = m_memory.ar_ready;
        m_top->m_axi_awready = m_memory.aw_ready;
        m_top->m_axi_wready = m_memory.w_ready;
        m_top->m_axi_rvalid = m_memory.r_valid;
        m_top->m_axi_rlast = m_memory.r_valid ? m_memory.r_last : m_dice.below(2);
        m_top->m_axi_rresp = m_memory.r_valid ? m_memory.r_response : m_dice.below(4);
        m_top->m_axi_rid = 0;
        if (m_memory.r_valid) std::memcpy(&m_top->m_axi_rdata, m_memory.r_data.data(), BUS_BYTES);
        m_top->m_axi_bvalid = m_memory.b_valid;
        m_top->m_axi_bresp = m_memory.b_valid ? m_memory.b_response : m_dice.below(4);
        m_top->m_axi_bid = 0;
    }

    void watch_bus() {
        const Address read{m_top->m_axi_araddr, m_top->m_axi_arlen, m_top->m_axi_arsize, m_top->m_axi_arburst,
                           m_top->m_axi_arid, m_top->m_axi_arcache, m_top->m_axi_arprot};
        const Address write{m_top->m_axi_awaddr, m_top->m_axi_awlen, m_top->m_axi_awsize, m_top->m_axi_awburst,
                            m_top->m_axi_awid, m_top->m_axi_awcache, m_top->m_axi_awprot};
        const auto* data = reinterpret_cast<const uint8_t*>(&m_top->m_axi_wdata);
        Beat beat;
        if (m_top->m_axi_wvalid) beat = Beat{{data, data + BUS_BYTES}, static_cast<bool>(m_top->m_axi_wlast)};
        constexpr uint64_t WHOLE = BUS_BYTES == 64 ? UINT64_MAX : (uint64_t{1} << BUS_BYTES) - 1;
        // Answers first: what they free may be used in the same cycle.
        if (m_memory.r_valid && m_top->m_axi_rready && m_memory.read_taken()) m_rules.read_ended();
        if (m_memory.b_valid && m_top->m_axi_bready) {
            m_memory.answer_taken();
            m_rules.write_answered();
        }
        m_rules.reads(m_top->m_axi_arvalid, m_memory.ar_ready, read);
        m_rules.writes(m_top->m_axi_awvalid, m_memory.aw_ready, write);
        m_rules.data(m_top->m_axi_wvalid, m_memory.w_ready, beat, m_top->m_axi_wstrb == WHOLE);
        if (m_top->m_axi_arvalid && m_memory.ar_ready) m_memory.take_read(m_dice, m_cycle, read.address, read.length + 1);
        if (m_top->m_axi_awvalid && m_memory.aw_ready) m_memory.take_write(m_dice, m_cycle, write.address, write.length + 1);
        if (m_top->m_axi_wvalid && m_memory.w_ready) m_memory.take_data(m_dice, m_cycle, data, beat.last);
    }

    void drive_host() {
        const uint32_t rubbish = static_cast<uint32_t>(m_dice.unit() * 0x1p32);
        const bool aw = m_write && !m_write->address_done && !m_write->address_late;
        const bool w = m_write && !m_write->data_done && !m_write->data_late;
        const bool ar = m_read && !m_read->address_done && !m_read->address_late;
        const uint32_t addresses = (1u << m_map.register_bits) - 1;
        m_top->s_axil_awvalid = aw;
        m_top->s_axil_awaddr = aw ? m_write->address : rubbish & addresses;
        m_top->s_axil_awprot = 0;
        m_top->s_axil_wvalid = w;
        m_top->s_axil_wdata = w ? m_write->data : rubbish;
        m_top->s_axil_wstrb = w ? m_write->strobes : rubbish & 15;
        m_top->s_axil_bready = m_write ? !m_write->response_late : rubbish & 1;
        m_top->s_axil_arvalid = ar;
        m_top->s_axil_araddr = ar ? m_read->address : rubbish & addresses;
        m_top->s_axil_arprot = 0;
        m_top->s_axil_rready = m_read ? !m_read->response_late : rubbish & 1;
    }

    void watch_host() {
        const bool aw = m_top->s_axil_awvalid && m_top->s_axil_awready, w = m_top->s_axil_wvalid && m_top->s_axil_wready;
        const bool b = m_top->s_axil_bvalid && m_top->s_axil_bready;
        const bool ar = m_top->s_axil_arvalid && m_top->s_axil_arready, r = m_top->s_axil_rvalid && m_top->s_axil_rready;
        m_slave.writes(aw, w, m_top->s_axil_bvalid, b, m_top->s_axil_bresp);
        m_slave.reads(ar, m_top->s_axil_rvalid, r, m_top->s_axil_rresp, m_top->s_axil_rdata);
        if (m_write) {
            Access& access = *m_write;
            access.address_done |= aw;
            access.data_done |= w;
            for (uint32_t* late : {&access.address_late, &access.data_late}) *late -= *late != 0;
            if (access.address_done && access.data_done) access.response_late -= access.response_late != 0;
            if (b) {
                m_last_response = m_top->s_axil_bresp;
                m_write.reset();
            }
        }
        if (m_read) {
            Access& access = *m_read;
            access.address_done |= ar;
            access.address_late -= access.address_late != 0;
            if (access.address_done) access.response_late -= access.response_late != 0;
            if (r) {
                m_last_response = m_top->s_axil_rresp;
                m_last_data = m_top->s_axil_rdata;
                m_read.reset();
            }
        }
        m_unanswered = m_write || m_read ? m_unanswered + 1 : 0;
        require(m_unanswered < 1000, "registers answer");
    }

public:
    std::vector<uint8_t>& bytes() { return m_bytes; }
    uint64_t cycle() const { return m_cycle; }

private:
    const Map m_map;
    MasterRules m_rules;
    SlaveRules m_slave;
    Dice m_dice;
    std::vector<uint8_t> m_bytes;
    Memory m_memory;
    VerilatedContext m_context;
    std::unique_ptr<Vwingrid> m_top;
    std::optional<Access> m_write, m_read;
    uint32_t m_last_response = 0, m_last_data = 0;
    uint64_t m_cycle = 0, m_unanswered = 0;
};

}  // namespace hostile

using hostile::Machine;

HOSTILE_API Machine* hostile_create(const hostile::Limits* limits, const hostile::Map* map, uint64_t seed) {
    return new Machine{*limits, *map, seed};
}

HOSTILE_API void hostile_destroy(Machine* machine) { delete machine; }

HOSTILE_API void hostile_program(Machine* machine, const uint8_t* before, const uint8_t* after, uint64_t size,
                                 uint32_t address, uint32_t length, const uint64_t* counters, uint64_t counter_count) {
    machine->programs.push_back(hostile::Program{
        {before, before + size}, {after, after + size}, address, length, {counters, counters + counter_count}});
    machine->bytes().resize(size);
}

// 0, or 1 with a message.
HOSTILE_API int hostile_round(Machine* machine, uint64_t seed) {
    try {
        machine->round(seed);
        return 0;
    } catch (const std::exception& problem) {
        machine->message = "cycle " + std::to_string(machine->cycle()) + ": " + problem.what();
        return 1;
    }
}

HOSTILE_API const char* hostile_message(const Machine* machine) { return machine->message.c_str(); }

HOSTILE_API void hostile_totals(const Machine* machine, hostile::Totals* totals) { *totals = machine->totals; }
