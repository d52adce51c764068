// The weight feeder and the weight transform (hw/execute/weight_feeder.py, hw/winograd/weight_transform.py).
#pragma once

#include <deque>

#include "definitions.hpp"
#include "matrix_unit.hpp"
#include "program.hpp"
#include "progress.hpp"
#include "record.hpp"
#include "releases.hpp"
#include "semaphores.hpp"
#include "times.hpp"

namespace wingrid {

// Transformed rows move through the transform's stages together: in every cycle, but for those in which the row at
// the end is the second of a tile that cannot enter the mesh yet. Such advances are counted: a row that enters the stages
// with advance number a leaves them with number a + stages, and between two waits numbers run like cycles.
class WeightTransform {
public:
    WeightTransform(const Parameters& parameters, MatrixUnit& unit) : m_parameters{parameters}, m_unit{unit} {}

    // The first cycle in which raw tile `index` may enter.
    Cycle room(ptrdiff_t index) const { return wingrid::room(m_used, index, m_parameters.weight_transform_halves); }

    // A raw tile's last row enters in `cycle`.
    void fill(uint32_t tile, Cycle cycle) { m_filled.push_back(Raw{tile, cycle + m_parameters.payload_latency}); }

    // Hands on tiles to the mesh as far as times are known; returns whether there were any.
    bool run() {
        bool moved = false;
        while (!m_unit.full && (m_tiles_left || !m_filled.empty())) {
            if (!m_tiles_left) begin();
            hand_on();
            moved = true;
        }
        return moved;
    }

    bool empty() const { return !m_tiles_left && m_filled.empty(); }
    // The cycle in which the last row has left, if it is empty.
    Cycle last_row() const { return m_last_row; }

private:
    struct Raw {
        uint32_t tile;
        Cycle held;  // from this cycle on it is complete
    };

    void begin() {
        const Raw raw = m_filled.front();
        m_filled.pop_front();
        const uint32_t patch = m_parameters.patch[raw.tile];
        m_first = std::max(m_after, advance_at(raw.held));
        m_tiles_left = patch * patch;
        m_after = m_first + int64_t{m_tiles_left} * m_parameters.rows;
        m_next_leaves = m_first + m_parameters.weight_transform_stages + 1;
        m_use_known = false;
    }

    void hand_on() {
        m_at_end = m_left_in + (m_next_leaves - m_left);
        m_left = m_next_leaves;
        m_left_in = m_unit.load(m_at_end - 1);
        m_last_row = m_left_in + m_parameters.rows - 2;
        m_next_leaves += m_parameters.rows;
        --m_tiles_left;
        // The raw tile's memory is free once its last row is on its way; what may still hold that up is a tile
        // whose second row leaves before.
        if (!m_use_known && (!m_tiles_left || m_next_leaves > m_after - 1)) {
            m_used.add(m_left_in + (m_after - 1 - m_left));
            m_use_known = true;
        }
    }

    // The number of the first advance in `cycle` or later, which no wait but the last one known may follow.
    int64_t advance_at(Cycle cycle) const {
        if (cycle >= m_left_in) return m_left + (cycle - m_left_in);
        if (cycle >= m_at_end) return m_left;
        return m_left - (m_at_end - cycle);
    }

    const Parameters& m_parameters;
    MatrixUnit& m_unit;
    std::deque<Raw> m_filled;
    Times m_used;
    bool m_use_known = true;
    uint32_t m_tiles_left = 0;
    int64_t m_first = 0;        // advance with which the raw tile's first row enters the stages
    int64_t m_after = 0;        // the one after that of its last row
    int64_t m_next_leaves = 0;  // advance with which the next tile's second row leaves
    int64_t m_left = 0;         // and that of the tile before,
    Cycle m_at_end = 0;         // which got to the end of the stages in this cycle
    Cycle m_left_in = 0;        // and left in this one
    Cycle m_last_row = 0;
};

class WeightFeeder {
public:
    WeightFeeder(const Parameters& parameters, const Program& program, Semaphores& semaphores, MatrixUnit& unit,
                 Releases& releases, Progress& progress, Record& record)
        : m_parameters{parameters}, m_program{program}, m_semaphores{semaphores}, m_unit{unit}, m_releases{releases},
          m_progress{progress}, m_record{record}, m_transform{parameters, unit} {}

    // Reads on as far as times are known; returns whether it could.
    bool run() {
        bool moved = false;
        while (true) {
            const bool transformed = m_transform.run();
            const bool handed_on = m_offered && hand_on();
            const bool read = m_groups_left ? read_group() : start();
            if (!transformed && !handed_on && !read) return moved;
            moved = true;
        }
    }

    bool done() const {
        return next() == static_cast<ptrdiff_t>(m_program.executes.size()) && !m_groups_left && !m_offered
               && m_transform.empty();
    }
    // The first cycle in which nothing is queued or under way.
    Cycle idle_from() const { return last_row() + NEXT; }

private:
    // The cycle in which the last row has left for the mesh, or has been through the transform.
    Cycle last_row() const { return m_tile ? m_transform.last_row() : m_last_transfer; }

    // The next EXECUTE that is not sparse.
    ptrdiff_t next() const {
        ptrdiff_t number = m_number;
        while (number < static_cast<ptrdiff_t>(m_program.executes.size()) && m_program.executes[number].fields.sparse)
            ++number;
        return number;
    }

    bool start() {
        const ptrdiff_t number = next();
        if (number >= m_progress.queued_executes.count()) return false;
        const Execute& execute = m_program.executes[number].fields;
        Cycle has_all = std::max({m_progress.queued_executes.at(number), m_progress.weights.last() + NEXT,
                                  m_semaphores.available(execute.wait, Semaphore::WEIGHTS_LOADED)});
        if ((execute.tile != m_tile || execute.coded != m_coded) && m_progress.weights.count()) {
            if (m_offered || !m_transform.empty()) return false;
            has_all = std::max({has_all, last_row() + NEXT, m_last_transfer + NEXT});
        }
        if (!known(std::max(has_all, m_ended))) return false;
        const Cycle cycle = std::max(has_all + m_parameters.arming_latency, m_ended);
        m_semaphores.take(execute.wait, Semaphore::WEIGHTS_LOADED);
        m_record.event(Event::WEIGHTS_STARTED, m_program.executes[number].index, cycle);
        m_progress.weights.add(cycle);
        m_number = number + 1;
        m_tile = execute.tile;
        m_coded = execute.coded;
        m_ready = cycle + (m_coded ? m_parameters.decoder_latency : m_parameters.weight_start_latency);
        m_groups_left = execute.blocks;
        if (!m_tile) m_groups_left *= uint32_t{execute.kernel_height} * execute.kernel_width;
        return true;
    }

    // A group of rows is a tile, or all taps of a raw one. Those follow without pause once the first one may go; a tile's
    // first row goes ahead of the others.
    bool read_group() {
        if (m_offered) return false;
        const Cycle opens = m_tile ? m_transform.room(m_raw_tiles) : 0;
        if (!known(opens)) return false;
        // Rows of compressed weights come at intervals.
        const Cycle interval = m_coded ? m_parameters.decoder_columns : 1;
        const Cycle offered = m_coded ? std::max(m_ready, m_last_transfer + interval)
                                      : std::max(m_ready, m_last_transfer) + m_parameters.weight_read_latency;
        m_first_transfer = std::max(offered, opens);
        --m_groups_left;
        if (m_tile) {
            m_last_transfer = m_first_transfer + (m_parameters.rows * RAW_TAPS - 1) * interval;
            m_transform.fill(m_tile, m_last_transfer);
            ++m_raw_tiles;
            if (!m_groups_left) end(m_coded ? m_last_transfer : m_last_transfer - 1);
        } else {
            m_offered = true;
            if (!m_groups_left) m_ended = UNKNOWN;
            if (!m_groups_left && m_parameters.rows == 2) end(m_first_transfer);
        }
        return true;
    }

    // The other rows of the tile whose first one is offered.
    bool hand_on() {
        if (m_unit.full) return false;
        m_last_transfer = m_unit.load(m_first_transfer) + m_parameters.rows - 2;
        m_offered = false;
        if (!m_groups_left && m_parameters.rows > 2) end(m_last_transfer - 1);
        return true;
    }

    // The last row of the instruction is read in `cycle`, as the one before leaves; or leaves the decoder.
    void end(Cycle cycle) {
        m_ended = cycle;
        const Numbered<Execute>& execute = m_program.executes[m_number - 1];
        m_record.event(Event::WEIGHTS_ENDED, execute.index, cycle);
        if (has(execute.fields.signal, Semaphore::OPERANDS_RELEASED)) m_releases.weights(cycle);
    }

    const Parameters& m_parameters;
    const Program& m_program;
    Semaphores& m_semaphores;
    MatrixUnit& m_unit;
    Releases& m_releases;
    Progress& m_progress;
    Record& m_record;
    WeightTransform m_transform;
    ptrdiff_t m_number = 0;  // the EXECUTE after the last one started
    uint32_t m_tile = 0;
    uint32_t m_coded = 0;
    uint32_t m_groups_left = 0;
    ptrdiff_t m_raw_tiles = 0;
    Cycle m_ready = 0;
    Cycle m_ended = 0;
    bool m_offered = false;  // a tile whose other rows are still to come
    Cycle m_first_transfer = 0;
    Cycle m_last_transfer = 0;
};

}  // namespace wingrid
