// The streams of vectors into the mesh, direct (hw/execute/vector_feeder.py) and transformed (hw/winograd/transform_buffer.py).
#pragma once

#include "definitions.hpp"
#include "matrix_unit.hpp"
#include "patches.hpp"
#include "program.hpp"
#include "progress.hpp"
#include "record.hpp"
#include "releases.hpp"
#include "semaphores.hpp"
#include "stalls.hpp"
#include "times.hpp"

namespace wingrid {

// A tap is a run of `count` vectors that share a weight tile: one of direct convolution, a position of a Winograd patch.
// Its first vector waits for the tile, the others follow in as many cycles. One vector waits in a register of
// its own, so that the next one is read as it goes. The two sources never work at the same time.
class VectorStream {
public:
    VectorStream(const Parameters& parameters, const Program& program, Semaphores& semaphores, MatrixUnit& unit,
                 PatchFeeder& patches, Releases& releases, Progress& progress, Stalls& stalls, Record& record)
        : m_parameters{parameters}, m_program{program}, m_semaphores{semaphores}, m_unit{unit}, m_patches{patches},
          m_releases{releases}, m_progress{progress}, m_stalls{stalls}, m_record{record} {}

    // Streams on as far as times are known; returns whether it could.
    bool run() {
        bool moved = false;
        while ((!m_taps_left && start()) || (m_sparse ? walk() : m_tap.open ? stream() : open())) moved = true;
        return moved;
    }

    bool done() const {
        return m_number == static_cast<ptrdiff_t>(m_program.executes.size()) && !m_taps_left && !m_tap.open;
    }
    // The cycle in which the last vector entered the mesh.
    Cycle last() const { return m_last; }

private:
    // The tap whose first vector is read.
    struct Tap {
        bool open = false;
        bool releases = false;  // it is the last one of a Winograd block
        bool final = false;
        Cycle read = 0;
        ptrdiff_t number = 0;
    };

    bool start() {
        if (m_number >= m_progress.queued_executes.count() || !known(m_ended)) return false;
        const Numbered<Execute>& execute = m_program.executes[m_number];
        const uint32_t tile = execute.fields.tile;
        m_in_queue = m_progress.queued_executes.at(m_number);
        m_bank = m_semaphores.available(execute.fields.wait, Semaphore::BANK_RELEASED);
        m_has_all = std::max({m_in_queue, m_started + NEXT, m_bank});
        const bool sparse = execute.fields.sparse;
        m_inputs = tile ? 0 : m_semaphores.available(execute.fields.wait, Semaphore::INPUTS_LOADED);
        const Cycle weights = sparse ? m_semaphores.available(execute.fields.wait, Semaphore::WEIGHTS_LOADED) : 0;
        m_has_all = std::max({m_has_all, m_inputs, weights});
        if (!known(m_has_all)) return false;
        const Cycle cycle = std::max(m_has_all + m_parameters.arming_latency, m_ended);
        m_semaphores.take(execute.fields.wait, Semaphore::BANK_RELEASED);
        if (!tile) m_semaphores.take(execute.fields.wait, Semaphore::INPUTS_LOADED);
        if (sparse) m_semaphores.take(execute.fields.wait, Semaphore::WEIGHTS_LOADED);
        m_record.event(Event::VECTORS_STARTED, execute.index, cycle);
        (sparse ? m_progress.sparse : tile ? m_progress.blocks : m_progress.direct).add(cycle);
        m_sparse = sparse;
        m_started = cycle;
        m_fresh = true;
        m_ended = UNKNOWN;
        m_taps_in_block = tile ? m_parameters.patch[tile] * m_parameters.patch[tile] : 0;
        m_position = 0;
        m_taps_left = tile ? m_taps_in_block : uint32_t{execute.fields.kernel_height} * execute.fields.kernel_width;
        m_taps_left *= execute.fields.blocks;
        if (sparse) m_taps_left = execute.fields.blocks;
        ++m_number;
        return true;
    }

    // Reads the next tap's first vector.
    bool open() {
        if (!m_taps_left) return false;
        const Numbered<Execute>& execute = m_program.executes[m_number - 1];
        Cycle read = m_fresh ? std::max(m_started + m_parameters.vector_start_latency, m_last) : m_last;
        const bool new_block = m_taps_in_block && m_position == 0;
        Cycle filled = 0;
        if (new_block) {
            filled = m_patches.filled.at(m_block);
            if (!known(filled)) return false;
            read = std::max(read, filled + NEXT);
        }
        if (read > m_last) account(read, filled);
        m_fresh = false;
        --m_taps_left;
        m_tap = Tap{true, false, m_taps_left == 0, read, m_number - 1};
        if (m_taps_in_block && ++m_position == m_taps_in_block) {
            m_position = 0;
            ++m_block;
            m_tap.releases = true;
        }
        if (execute.fields.count == 1) {
            // The first vector is the last one as well, whenever it may go.
            if (m_tap.releases) m_patches.released.add(read);
            if (m_tap.final) end(read);
        }
        return true;
    }

    // Sends the open tap's vectors through the mesh.
    bool stream() {
        if (!m_unit.full) return false;
        const Numbered<Execute>& execute = m_program.executes[m_tap.number];
        const Cycle count = execute.fields.count;
        const Cycle offered = m_tap.read + m_parameters.vector_read_latency;
        const Cycle first = std::max(offered, m_unit.complete);
        m_unit.take(first);
        m_stalls.weights += first - offered;
        m_stalls.busy += count;
        m_last = first + count - 1;
        m_tap.open = false;
        if (count > 1) {
            // Vectors but the first are read as the one before goes.
            if (m_tap.releases) {
                const Cycle in_time = m_parameters.refill_latency[execute.fields.tile];
                m_patches.released.add(first + count - std::min(in_time, count - 1) - 1);
            }
            if (m_tap.final) end(m_last - 1);
        }
        if (!m_tap.final) return true;
        (execute.fields.tile ? m_progress.winograd_done : m_progress.direct_done).add(m_last);
        if (has(execute.fields.signal, Semaphore::SUMS_READY)) {
            const Cycle committed = m_last + m_parameters.commit_latency;
            m_semaphores.signal(Semaphore::SUMS_READY, committed);
            m_record.event(Event::SUMS_READY, execute.index, committed);
        }
        return true;
    }

    // Reads all entries of a sparse instruction: one per cycle, whatever is in them.
    bool walk() {
        if (!m_taps_left) return false;
        const Numbered<Execute>& execute = m_program.executes[m_number - 1];
        const Cycle read = m_started + m_parameters.sparse_start_latency;
        account(read, 0);
        m_stalls.busy += m_taps_left;
        m_ended = read + m_taps_left - 1;
        m_last = m_ended + m_parameters.sparse_read_latency;
        m_taps_left = 0;
        m_fresh = false;
        m_record.event(Event::VECTORS_ENDED, execute.index, m_ended);
        if (has(execute.fields.signal, Semaphore::OPERANDS_RELEASED))
            m_semaphores.signal(Semaphore::OPERANDS_RELEASED, m_ended + m_parameters.sparse_release_latency);
        m_progress.sparse_done.add(m_last);
        if (has(execute.fields.signal, Semaphore::SUMS_READY)) {
            const Cycle committed = m_last + m_parameters.sparse_commit_latency;
            m_semaphores.signal(Semaphore::SUMS_READY, committed);
            m_record.event(Event::SUMS_READY, execute.index, committed);
        }
        return true;
    }

    // The last vector of the instruction whose tap is open is read in `cycle`.
    void end(Cycle cycle) {
        const Numbered<Execute>& execute = m_program.executes[m_tap.number];
        m_ended = cycle;
        m_record.event(Event::VECTORS_ENDED, execute.index, cycle);
        if (!execute.fields.tile && has(execute.fields.signal, Semaphore::OPERANDS_RELEASED)) m_releases.vectors(cycle);
    }

    // Accounts for the cycles without a vector from the last one's departure until the next one is read.
    void account(Cycle read, Cycle filled) {
        Cycle from = m_last + 1;
        if (m_fresh) {
            m_stalls.no_instruction += Span{from, m_in_queue - 1}.length();
            const Span waiting{std::max(from, m_in_queue), m_has_all - 1};
            const Span for_bank{waiting.first, m_taps_in_block ? waiting.last : std::min(waiting.last, m_bank - 1)};
            const Span for_inputs{std::max(from, std::max(m_in_queue, m_bank)), m_inputs - 1};
            m_stalls.accumulators += for_bank.length();
            const Cycle inputs = m_sparse ? for_inputs.length() : waiting.length() - for_bank.length();
            m_stalls.inputs += inputs;
            m_stalls.weights += waiting.length() - for_bank.length() - inputs;
            m_stalls.pipeline += Span{std::max(from, m_has_all), m_started}.length();
            from = std::max(from, m_started + 1);
        }
        const Span transform{from, filled};
        m_stalls.transform.add(transform);
        m_stalls.pipeline += Span{from, read}.length() - transform.length();
    }

    const Parameters& m_parameters;
    const Program& m_program;
    Semaphores& m_semaphores;
    MatrixUnit& m_unit;
    PatchFeeder& m_patches;
    Releases& m_releases;
    Progress& m_progress;
    Stalls& m_stalls;
    Record& m_record;
    Tap m_tap;
    Cycle m_last = 0;
    Cycle m_ended = 0;  // the last instruction's last read
    ptrdiff_t m_number = 0;  // instructions started
    Cycle m_in_queue = 0;
    Cycle m_bank = 0;
    Cycle m_inputs = 0;
    Cycle m_has_all = 0;
    Cycle m_started = 0;
    bool m_sparse = false;
    bool m_fresh = false;  // nothing is read yet
    uint32_t m_taps_left = 0;
    uint32_t m_taps_in_block = 0;
    uint32_t m_position = 0;
    ptrdiff_t m_block = 0;
};

}  // namespace wingrid
