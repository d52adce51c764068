// The store engine (hw/store/store_engine.py): parameters, then segment by segment of neighbouring tiles.
#pragma once

#include "definitions.hpp"
#include "output.hpp"
#include "program.hpp"
#include "progress.hpp"
#include "record.hpp"
#include "semaphores.hpp"
#include "times.hpp"

namespace wingrid {

class StoreEngine {
public:
    StoreEngine(const Parameters& parameters, const Program& program, Semaphores& semaphores, OutputBuffer& output,
                Progress& progress, Record& record)
        : m_parameters{parameters}, m_program{program}, m_semaphores{semaphores}, m_output{output},
          m_progress{progress}, m_record{record} {}

    // Drains on as far as times are known; returns whether it could.
    bool run() {
        bool moved = false;
        while (m_tiles_left ? drain() : start()) moved = true;
        return moved;
    }

    bool done() const {
        return m_progress.stores.count() == static_cast<ptrdiff_t>(m_program.stores.size()) && !draining();
    }
    bool draining() const { return m_tiles_left; }
    // The first cycle in which nothing is queued or under way.
    Cycle idle_from() const { return m_drained + NEXT; }

private:
    bool start() {
        const ptrdiff_t number = m_progress.stores.count();
        if (number >= m_progress.queued_stores.count()) return false;
        const Store& store = m_program.stores[number].fields;
        const Cycle cycle = std::max({m_progress.queued_stores.at(number), m_output.placed() + NEXT,
                                      m_semaphores.available(store.wait, Semaphore::SUMS_READY),
                                      m_semaphores.available(store.wait, Semaphore::PARAMETERS_LOADED)})
                            + m_parameters.store_start_latency;
        if (!known(cycle)) return false;
        m_semaphores.take(store.wait, Semaphore::SUMS_READY);
        m_semaphores.take(store.wait, Semaphore::PARAMETERS_LOADED);
        m_record.event(Event::STORE_STARTED, m_program.stores[number].index, cycle);
        m_progress.stores.add(cycle);
        m_row = store.destination;
        m_column = store.first;
        m_lines_left = store.lines;
        m_tiles_left = store.count;
        m_busy_until = cycle + m_parameters.store_parameter_cycles;
        m_measured = cycle + m_parameters.store_measure_cycles;
        return true;
    }

    // The next segment.
    bool drain() {
        const Numbered<Store>& numbered = m_program.stores[m_progress.stores.count() - 1];
        const Store& store = numbered.fields;
        const bool pools = store.pool > 1;
        // A tile's side in pixels that leave, and its accumulators.
        const uint32_t side = !store.tile ? 1 : pools ? store.tile / 2 : store.tile;
        const uint32_t axis = store.tile ? m_parameters.patch[store.tile] : pools ? store.pool : 1;
        const uint32_t columns_left = store.width - m_column;
        const uint32_t tiles =
            std::min({m_tiles_left, (columns_left + side - 1) / side, m_parameters.segment_tiles[store.tile]});
        const uint32_t lines = store.tile ? std::min(m_lines_left, side) : 1;
        const uint32_t pixel_pitch = store.pixel_pitch ? store.pixel_pitch : 1;
        const Segment segment{m_row + m_column * pixel_pitch * m_parameters.bus_bytes, store.row_pitch,
                              std::min(tiles * side, columns_left), lines, pixel_pitch};
        const Cycle accepted = std::max({m_busy_until + NEXT, m_measured, m_output.room()});
        if (!known(accepted)) return false;
        m_drained = m_busy_until = accepted + int64_t{tiles} * axis * axis;
        m_measured = accepted + m_parameters.store_measure_cycles;
        m_output.add(segment, m_drained + m_parameters.accumulator_read_latency + m_parameters.output_latency[store.tile]
                                  + m_parameters.output_span[store.tile]);
        m_tiles_left -= tiles;
        m_column += segment.columns;
        if (m_column == store.width) {
            m_column = 0;
            m_row += store.row_pitch * side;
            m_lines_left -= lines;
        }
        if (m_tiles_left) return true;
        m_record.event(Event::STORE_DRAINED, numbered.index, m_drained);
        m_record.event(Event::STORE_ENDED, numbered.index, m_output.placed() + NEXT);
        if (has(store.signal, Semaphore::BANK_RELEASED)) m_semaphores.signal(Semaphore::BANK_RELEASED, m_drained);
        if (has(store.signal, Semaphore::PARAMETERS_RELEASED))
            m_semaphores.signal(Semaphore::PARAMETERS_RELEASED, store.table || store.combination ? m_output.placed() + NEXT : m_drained);
        return true;
    }

    const Parameters& m_parameters;
    const Program& m_program;
    Semaphores& m_semaphores;
    OutputBuffer& m_output;
    Progress& m_progress;
    Record& m_record;
    Cycle m_busy_until = 0;
    Cycle m_measured = 0;  // from which cycle on the next segment can be handed over
    Cycle m_drained = 0;
    uint32_t m_row = 0;
    uint32_t m_column = 0;
    uint32_t m_lines_left = 0;
    uint32_t m_tiles_left = 0;
};

}  // namespace wingrid
