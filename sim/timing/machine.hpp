// The whole accelerator (hw/core.py), played from instruction to instruction and burst to burst.
#pragma once

#include "definitions.hpp"
#include "fetch.hpp"
#include "load.hpp"
#include "memory.hpp"
#include "output.hpp"
#include "patches.hpp"
#include "reader.hpp"
#include "store.hpp"
#include "vectors.hpp"
#include "weights.hpp"
#include "writer.hpp"

namespace wingrid {

// When something happens follows from when other things have happened: an instruction starts at the latest of the cycles
// in which its engine is free, its semaphores are signalled and so on. Only on the bus does it matter who comes first:
// which reader a burst is taken from, and which burst gets hold of memory. So each unit runs on as far as
// everything that it depends on is known, and bursts are decided one by one, in the order of their cycles. Whatever
// is unknown then depends on bursts not decided yet, and as every way from one to another takes a
// cycle or more, it cannot come before them.
class Machine {
public:
    Machine(const Parameters& parameters, const uint8_t* program, uint32_t length, uint32_t address, bool recording)
        : m_parameters{parameters}, m_program{program, length, m_parameters}, m_record{recording}, m_semaphores{m_parameters},
          m_memory{m_parameters, m_record}, m_fetch{m_parameters, m_program, address, m_progress, m_record},
          m_load{m_parameters, m_program, m_semaphores, m_progress, m_record},
          m_reader{m_parameters, m_fetch, m_load, m_memory}, m_releases{m_semaphores}, m_unit{parameters.rows},
          m_weights{m_parameters, m_program, m_semaphores, m_unit, m_releases, m_progress, m_record},
          m_patches{m_parameters, m_program, m_semaphores, m_releases, m_progress, m_stalls, m_record},
          m_vectors{m_parameters, m_program, m_semaphores, m_unit, m_patches, m_releases, m_progress, m_stalls, m_record},
          m_writer{m_parameters, m_memory}, m_output{m_parameters, m_writer},
          m_store{m_parameters, m_program, m_semaphores, m_output, m_progress, m_record} {}

    void run() {
        while (true) {
            settle();
            const Cycle take = m_reader.next(), grant = m_memory.next_grant();
            if (!known(std::min(take, grant))) break;
            if (take <= grant) {
                m_reader.take(take);
            } else {
                const Memory::Granted granted = m_memory.grant();
                if (granted.burst.kind == BurstKind::WRITE) {
                    if (m_memory.bridged()) m_writer.written_until(granted.last);
                    // A write's response comes in the cycle after its last one on the bus.
                    m_writer.answer(granted.last + 1);
                } else {
                    if (m_memory.bridged()) m_reader.accepted(granted.first);
                    m_reader.arrive(granted.burst, granted.last);
                }
            }
        }
        if (!m_fetch.done() || !m_load.done() || !m_weights.done() || !m_vectors.done() || !m_store.done() || !m_output.done())
            throw std::runtime_error("the program comes to a standstill: " + waiting());
    }

    void count(int64_t* counters) const {
        const Cycle settled = m_program.executes.size() ? m_vectors.last() + NEXT + m_parameters.settling_latency : 0;
        const Cycle end = std::max({m_fetch.finished(), m_load.idle_from(), m_weights.idle_from(), settled,
                                    stored()})
                          + m_parameters.stop_latency;
        const Cycle after = m_vectors.last() + 1;
        const Cycle drain = Span{std::max(after, m_fetch.finished()), end}.length();
        const Cycle awaiting = m_stalls.transform.common(m_stalls.awaiting_inputs);
        const auto put = [&](Counter counter, int64_t value) { counters[static_cast<size_t>(counter)] = value; };
        const auto bytes = [&](Buffer buffer) { return m_load.bytes[static_cast<size_t>(buffer)]; };
        put(Counter::CYCLES, end);
        put(Counter::BUSY, m_stalls.busy);
        put(Counter::STALL_INSTRUCTIONS, m_stalls.no_instruction + Span{after, end}.length() - drain);
        put(Counter::STALL_WEIGHTS, m_stalls.weights);
        put(Counter::STALL_INPUTS, m_stalls.inputs + awaiting);
        put(Counter::STALL_ACCUMULATORS, m_stalls.accumulators);
        put(Counter::STALL_TRANSFORM, m_stalls.transform.length() - awaiting);
        put(Counter::STALL_PIPELINE, m_stalls.pipeline);
        put(Counter::STALL_DRAIN, drain);
        put(Counter::BYTES_INSTRUCTIONS, m_program.order.size() * INSTRUCTION_BYTES);
        put(Counter::BYTES_WEIGHTS, bytes(Buffer::WEIGHTS) + bytes(Buffer::CODES));
        put(Counter::BYTES_ACTIVATIONS, bytes(Buffer::INPUTS) + bytes(Buffer::ADDENDS));
        put(Counter::BYTES_PARAMETERS, bytes(Buffer::PARAMETERS) + bytes(Buffer::TABLES));
        put(Counter::BYTES_RESULTS, m_writer.beats * m_parameters.bus_bytes);
    }

    const Record& record() const { return m_record; }

private:
    // Runs all units as far as they can.
    void settle() {
        bool moved;
        do {
            m_progress.stored = stored();
            moved = m_fetch.run();
            moved |= m_load.run();
            moved |= m_patches.run();
            while (m_weights.run() | m_vectors.run()) moved = true;
            moved |= m_store.run();
            moved |= m_output.run();
            moved |= m_writer.run();
        } while (moved);
    }

    // The first cycle in which memory has acknowledged the results of all STOREs taken so far.
    Cycle stored() const {
        if (m_store.draining() || !m_output.done() || !m_writer.done()) return UNKNOWN;
        return std::max({m_store.idle_from(), m_output.idle_from(), m_writer.idle_from()});
    }

    // The first instruction of each engine that has not started.
    std::string waiting() const {
        std::string text;
        const auto name = [&](const char* what, const Times& started, const auto& instructions) {
            if (started.count() == static_cast<ptrdiff_t>(instructions.size())) return;
            text += (text.empty() ? "" : ", ") + std::string{what} + " " + std::to_string(instructions[started.count()].index);
        };
        name("LOAD", m_progress.loads, m_program.loads);
        name("EXECUTE", m_progress.weights, m_program.executes);
        name("STORE", m_progress.stores, m_program.stores);
        return (text.empty() ? "the last instructions do not end" : text + " cannot start");
    }

    const Parameters m_parameters;
    const Program m_program;
    Record m_record;
    Progress m_progress;
    Stalls m_stalls;
    Semaphores m_semaphores;
    Memory m_memory;
    Fetch m_fetch;
    LoadEngine m_load;
    Reader m_reader;
    Releases m_releases;
    MatrixUnit m_unit;
    WeightFeeder m_weights;
    PatchFeeder m_patches;
    VectorStream m_vectors;
    Writer m_writer;
    OutputBuffer m_output;
    StoreEngine m_store;
};

}  // namespace wingrid
