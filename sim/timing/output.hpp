// The output buffer (hw/store/output_buffer.py): room for segments, and their bursts once they are in place.
#pragma once

#include <deque>

#include "burst.hpp"
#include "definitions.hpp"
#include "times.hpp"
#include "writer.hpp"

namespace wingrid {

// `lines` rows of `columns` pixels, `row_pitch` bytes apart, and pixels `pixel_pitch` beats.
struct Segment {
    uint32_t address;
    uint32_t row_pitch;
    uint32_t columns;
    uint32_t lines;
    uint32_t pixel_pitch;

    uint32_t beats() const { return columns * lines; }
};

class OutputBuffer {
public:
    OutputBuffer(const Parameters& parameters, Writer& writer) : m_parameters{parameters}, m_writer{writer} {}

    // The first cycle in which one more segment can be taken.
    Cycle room() {
        const ptrdiff_t number = m_placed.count();
        const Cycle queues = std::max(wingrid::room(m_placed, number, m_parameters.placing_segments),
                                      wingrid::room(m_left, number, m_parameters.leaving_segments));
        const Cycle written = m_writer.written(m_reserved - int64_t{m_parameters.output_buffer / 2});
        return std::max(queues, written + (m_reserved > m_parameters.output_buffer / 2 ? m_parameters.output_room_latency : 0));
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
        while (m_lines_left ? request() : leave()) moved = true;
        return moved;
    }

    // When the last result so far is written.
    Cycle placed() const { return m_placed.last(); }
    bool done() const { return m_leaving.empty() && !m_lines_left; }
    // The first cycle in which everything is requested.
    Cycle idle_from() const { return std::max(m_left.last(), m_last_request) + NEXT; }

private:
    // The next segment is complete, and its bursts are worked out.
    bool leave() {
        if (m_leaving.empty()) return false;
        m_segment = m_leaving.front();
        m_leaving.pop_front();
        Cycle cycle = std::max(m_left.last(), m_placed.at(m_left.count())) + NEXT;
        if (m_segment.lines) cycle = std::max(cycle, m_last_request + NEXT);
        m_left.add(cycle);
        m_ready = cycle + m_parameters.burst_latency;
        m_lines_left = m_segment.lines;
        m_column = 0;
        return true;
    }

    bool request() {
        const Cycle cycle = std::max(m_ready, m_writer.room());
        if (!known(cycle)) return false;
        const uint32_t address = m_segment.address + (m_segment.lines - m_lines_left) * m_segment.row_pitch
                                 + m_column * m_parameters.bus_bytes;
        const uint32_t left = m_segment.columns - m_column;
        const uint32_t beats = m_segment.pixel_pitch > 1 ? left : burst_beats(m_parameters, address, left);
        m_writer.request(address, beats, m_segment.pixel_pitch, cycle);
        m_ready = std::max(m_ready + m_parameters.burst_interval, cycle + NEXT);
        m_last_request = cycle;
        m_column += beats;
        if (m_column == m_segment.columns) {
            m_column = 0;
            --m_lines_left;
        }
        return true;
    }

    const Parameters& m_parameters;
    Writer& m_writer;
    std::deque<Segment> m_leaving;
    Times m_placed;
    Times m_left;  // the queue of those that wait for their last result
    int64_t m_reserved = 0;
    Segment m_segment{};
    Cycle m_ready = 0;
    Cycle m_last_request = 0;
    uint32_t m_lines_left = 0;
    uint32_t m_column = 0;
};

}  // namespace wingrid
