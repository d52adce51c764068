// LOADs of what results are combined with: host/compiler/addend_loader.py, whose words explain it.
#pragma once

#include <algorithm>

#include "definitions.hpp"
#include "description.hpp"
#include "ring.hpp"
#include "schedule.hpp"
#include "weights.hpp"

namespace wingrid {

class AddendLoader {
public:
    AddendLoader(const Description& layer, Schedule& schedule)
        : m_layer{layer}, m_schedule{schedule}, m_ring{layer.addend_capacity},
          m_broadcast{schedule, Buffer::ADDENDS, layer.addends, layer.images * layer.output_blocks,
                      layer.addend_capacity, 1, layer.bus_bytes},
          m_side{layer.tile ? layer.tile : std::max<int64_t>(layer.pool_side, 1)} {}

    // `across` and `count`: squares of a row, and in all.
    Loaded load(const Group& group, int64_t across, int64_t count, int64_t block) {
        m_block = group.image * m_layer.output_blocks + block;
        if (m_layer.broadcast) return m_broadcast.request(m_block);
        m_last = m_ring.allocate(count * m_side * m_side);
        m_plane = m_block * m_layer.result_height * m_layer.result_width;
        m_load = NOBODY;
        m_side == 1 ? single(group) : squares(group, across, count);
        return Loaded{m_ring.address(m_last.position), m_load};
    }

    void use(int64_t user) {
        if (m_layer.broadcast) return m_broadcast.use(m_block, user);
        m_ring.use(m_last.position, m_last.entries, user);
    }

private:
    void single(const Group& group) {
        const int64_t width = group.width(), pitch = m_layer.result_width;
        if (width == pitch) return add(group.first, group.count, 1, 0, 0, group.count, 1, 0, 0);
        int64_t row = quotient(group.first, width), column = remainder(group.first, width);
        for (int64_t done = 0; done < group.count;) {
            const int64_t whole = column ? 0 : (group.count - done) / width;
            const int64_t beats = whole ? width : std::min(width - column, group.count - done);
            const int64_t runs = std::max<int64_t>(whole, 1);
            add(row * pitch + group.start + column, beats, runs, pitch, done, beats * runs, 1, 0, 0);
            done += beats * runs;
            row += runs;
            column = 0;
        }
    }

    void squares(const Group& group, int64_t across, int64_t count) {
        const int64_t first = m_layer.tile ? group.first : 0, top = m_layer.tile ? 0 : group.first_row();
        const int64_t start = m_layer.tile ? group.start * m_side : group.start, area = m_side * m_side;
        int64_t row = quotient(first, across), column = remainder(first, across);
        for (int64_t done = 0; done < count;) {
            const int64_t squares = std::min(across - column, count - done);
            const int64_t line = top + row * m_side, left = start + column * m_side;
            const int64_t lines = std::min(m_side, m_layer.result_height - line);
            const int64_t pixels = std::min(squares * m_side, m_layer.result_width - left);
            const int64_t whole = pixels / m_side, rest = pixels % m_side;
            const int64_t pixel = line * m_layer.result_width + left;
            if (whole)
                add(pixel, m_side * whole, lines, m_layer.result_width, done * area, m_side, whole, area, m_side);
            if (rest)
                add(pixel + whole * m_side, rest, lines, m_layer.result_width, (done + whole) * area, rest, 1, area, m_side);
            done += squares;
            ++row;
            column = 0;
        }
    }

    void add(int64_t pixel, int64_t run_beats, int64_t runs, int64_t run_pitch, int64_t destination, int64_t row_beats,
             int64_t rows, int64_t row_pitch, int64_t block_pitch) {
        Load load{};
        SET(load, opcode, static_cast<int>(Opcode::LOAD));
        SET(load, buffer, static_cast<int>(Buffer::ADDENDS));
        SET(load, source, m_layer.addends + (m_plane + pixel) * m_layer.bus_bytes);
        SET(load, run_beats, run_beats);
        SET(load, runs, runs);
        SET(load, run_pitch, run_pitch * m_layer.bus_bytes);
        SET(load, destination, m_ring.address(m_last.position + destination));
        SET(load, row_beats, row_beats);
        SET(load, rows, rows);
        SET(load, row_pitch, row_pitch);
        SET(load, block_pitch, block_pitch);
        m_load = m_schedule.add(load, {&m_last.evicted_user, 1});
    }

    const Description& m_layer;
    Schedule& m_schedule;
    Ring m_ring;
    BlockLoader m_broadcast;
    const int64_t m_side;
    Region m_last{};
    int64_t m_block = 0;
    int64_t m_plane = 0;
    int64_t m_load = NOBODY;
};

}  // namespace wingrid
