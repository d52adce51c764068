// The patch feeder with its transform (hw/winograd/patch_feeder.py): blocks of patches into the transform buffer.
#pragma once

#include "definitions.hpp"
#include "program.hpp"
#include "progress.hpp"
#include "record.hpp"
#include "releases.hpp"
#include "semaphores.hpp"
#include "stalls.hpp"
#include "times.hpp"

namespace wingrid {

class PatchFeeder {
public:
    PatchFeeder(const Parameters& parameters, const Program& program, Semaphores& semaphores, Releases& releases,
                Progress& progress, Stalls& stalls, Record& record)
        : m_parameters{parameters}, m_program{program}, m_semaphores{semaphores}, m_releases{releases},
          m_progress{progress}, m_stalls{stalls}, m_record{record} {}

    // Reads on as far as times are known; returns whether it could.
    bool run() {
        bool moved = false;
        while (m_blocks_left ? read_block() : start()) moved = true;
        return moved;
    }

    // When the last vector of each block is written.
    Times filled;
    // When each block's half of the buffer may be written again; told by the stream of vectors.
    Times released;

private:
    bool start() {
        const ptrdiff_t queued = m_progress.queued_executes.count();
        while (m_number < queued && !m_program.executes[m_number].fields.tile) ++m_number;
        if (m_number >= queued) return false;
        const Execute& execute = m_program.executes[m_number].fields;
        const Cycle inputs = m_semaphores.available(execute.wait, Semaphore::INPUTS_LOADED);
        if (!known(inputs)) return false;
        const Cycle in_queue = m_progress.queued_executes.at(m_number);
        m_stalls.awaiting_inputs.add(Span{std::max(in_queue, m_ended + NEXT), inputs - 1});
        Cycle has_all = std::max({in_queue, m_progress.patches.last() + NEXT, inputs});
        // Another tile's transform waits until this one is empty.
        if (m_tile && execute.tile != m_tile) has_all = std::max(has_all, filled.last() + NEXT);
        const Cycle cycle = std::max(has_all + m_parameters.arming_latency, m_ended);
        m_semaphores.take(execute.wait, Semaphore::INPUTS_LOADED);
        m_record.event(Event::PATCHES_STARTED, m_program.executes[m_number].index, cycle);
        m_progress.patches.add(cycle);
        m_tile = execute.tile;
        m_next_read = cycle + m_parameters.patch_start_latency;
        m_blocks_left = execute.blocks;
        return true;
    }

    // Only the last vector of the first patch waits for room in the transform buffer.
    bool read_block() {
        const Cycle free = room(released, filled.count(), m_parameters.transform_buffer_halves);
        if (!known(free)) return false;
        const Numbered<Execute>& execute = m_program.executes[m_number];
        const Cycle positions = Cycle{m_parameters.patch[m_tile]} * m_parameters.patch[m_tile];
        const Cycle commits = std::max(m_next_read + positions - 1, free);
        const Cycle last = commits + (execute.fields.count - 1) * positions;
        filled.add(last + m_parameters.patch_read_latency + m_parameters.input_transform_latency[m_tile] + positions - 1);
        m_next_read = last + NEXT;
        if (--m_blocks_left == 0) {
            m_ended = last;
            m_record.event(Event::PATCHES_ENDED, execute.index, last);
            if (has(execute.fields.signal, Semaphore::OPERANDS_RELEASED)) m_releases.vectors(last);
            ++m_number;
        }
        return true;
    }

    const Parameters& m_parameters;
    const Program& m_program;
    Semaphores& m_semaphores;
    Releases& m_releases;
    Progress& m_progress;
    Stalls& m_stalls;
    Record& m_record;
    ptrdiff_t m_number = 0;
    uint32_t m_tile = 0;
    uint32_t m_blocks_left = 0;
    Cycle m_next_read = 0;
    Cycle m_ended = 0;
};

}  // namespace wingrid
