// The output buffer (hw/store/output_buffer.py): room for segments, and their bursts once they are in place.
#pragma once

#include <deque>

#include "burst.hpp"
#include "definitions.hpp"
#include "times.hpp"
#include "writer.hpp"

namespace wingrid {

// `lines` rows of `columns` pixels, `row_pitch` bytes apart.
struct Segment {
    uint32_t address;
    uint32_t row_pitch;
    uint32_t columns;
    uint32_t lines;

    uint32_t beats() const { return columns * lines; }
};

class OutputBuffer {
public:
    OutputBuffer(const Parameters& parameters, Writer& writer) : m_parameters{parameters}, m_writer{writer} {}

    // The first cycle in which the segment can be taken.
    Cycle room(const Segment& segment) {
        const ptrdiff_t number = m_placed.count();
        const Cycle queues = std::max(wingrid::room(m_placed, number, m_parameters.placing_segments),
                                      wingrid::room(m_requested, number, m_parameters.leaving_segments));
        const Cycle written = m_writer.written(m_reserved + segment.beats() - int64_t{m_parameters.output_buffer});
        return std::max(queues, written + NEXT);
    }

    // Takes a segment whose last result is written in that cycle.
    void add(const Segment& segment, Cycle placed) {
        m_reserved += segment.beats();
        m_placed.add(placed);
        m_leaving.push_back(segment);
    }

    // Requests bursts as far as times are known; returns whether it could.
    bool run() {
        bool moved = false;
        while (!m_leaving.empty() && request()) moved = true;
        return moved;
    }

    // When the last result so far is written.
    Cycle placed() const { return m_placed.last(); }
    bool done() const { return m_leaving.empty(); }
    // The first cycle in which everything is requested.
    Cycle idle_from() const { return m_requested.last() + NEXT; }

private:
    bool request() {
        const Segment& segment = m_leaving.front();
        Cycle cycle = std::max(m_ready, m_placed.at(m_requested.count()) + NEXT);
        if (segment.lines) {
            cycle = std::max(cycle, m_writer.room());
            if (!known(cycle)) return false;
            const uint32_t address = segment.address + m_line * segment.row_pitch + m_column * m_parameters.bus_bytes;
            const uint32_t beats = burst_beats(m_parameters, address, segment.columns - m_column);
            m_writer.request(address, beats, cycle);
            m_column += beats;
            if (m_column == segment.columns) {
                m_column = 0;
                ++m_line;
            }
        }
        m_ready = cycle + NEXT;
        if (m_line == segment.lines) {
            m_line = 0;
            m_requested.add(cycle);
            m_leaving.pop_front();
        }
        return true;
    }

    const Parameters& m_parameters;
    Writer& m_writer;
    std::deque<Segment> m_leaving;
    Times m_placed;
    Times m_requested;
    int64_t m_reserved = 0;
    Cycle m_ready = 0;
    uint32_t m_line = 0;
    uint32_t m_column = 0;
};

}  // namespace wingrid
