// LOADs of weights, parameters and tables: host/compiler/weight_loader.py, whose words explain it.
#pragma once

#include "definitions.hpp"
#include "description.hpp"
#include "ring.hpp"
#include "schedule.hpp"

namespace wingrid {

inline int64_t add_linear_load(Schedule& schedule, Buffer buffer, int64_t source, int64_t beats, int64_t destination,
                               int64_t after) {
    Load load{};
    SET(load, opcode, static_cast<int>(Opcode::LOAD));
    SET(load, buffer, static_cast<int>(buffer));
    SET(load, source, source);
    SET(load, run_beats, beats);
    SET(load, runs, 1);
    SET(load, destination, destination);
    SET(load, row_beats, beats);
    SET(load, rows, 1);
    return schedule.add(load, {&after, 1});
}

struct Loaded {
    int64_t place;  // in the buffer
    int64_t load;   // the instruction that brings it
};

class WeightLoader {
public:
    WeightLoader(const Description& layer, Schedule& schedule)
        : m_layer{layer}, m_schedule{schedule}, m_residency{layer.weight_buffer} {}

    // A piece's place; `request` loads it, part by part.
    struct Piece {
        int64_t first;
        const Box* box;
        Region* region;
    };

    Piece piece(int64_t output_block, const Box& box) {
        const int64_t first = first_tile(output_block, box);
        return Piece{first, &box, &m_residency.request(first, entry(first + box.tiles) - entry(first))};
    }

    bool resident(int64_t output_block, const Box& box) const { return m_residency.resident(first_tile(output_block, box)); }

    Loaded request(const Piece& piece, const Box& part) {
        Region& region = *piece.region;
        const int64_t offset = part.offset - piece.box->offset;
        const int64_t end = offset + part.tiles;
        if (const int64_t start = region.loaded(); start < end) {
            if (m_layer.code_entries && !m_tables_loaded) {
                add_linear_load(m_schedule, Buffer::CODES, m_layer.weights, m_layer.code_entries, 0, NOBODY);
                m_tables_loaded = true;
            }
            const int64_t begin = entry(piece.first + start);
            const int64_t source = m_layer.weights + (m_layer.code_entries + begin) * m_layer.bus_bytes;
            const int64_t destination = m_residency.ring.address(region.position + begin - entry(piece.first));
            const int64_t beats = entry(piece.first + end) - begin;
            const int64_t load =
                add_linear_load(m_schedule, Buffer::WEIGHTS, source, beats, destination, region.evicted_user);
            region.loads.emplace_back(end, load);
        }
        const int64_t begin = entry(piece.first + offset) - entry(piece.first);
        return Loaded{m_residency.ring.address(region.position + begin), region.loader(end)};
    }

    void use(const Piece& piece, int64_t user) {
        m_residency.ring.use(piece.region->position, piece.region->entries, user);
    }

private:
    int64_t entry(int64_t tile) const {
        return m_layer.code_entries ? m_layer.starts[tile / KERNEL_TAPS] : tile * m_layer.rows;
    }

    int64_t first_tile(int64_t output_block, const Box& box) const {
        return m_layer.origins[output_block] + box.offset;
    }

    const Description& m_layer;
    Schedule& m_schedule;
    Residency m_residency;
    bool m_tables_loaded = false;
};

class BlockLoader {
public:
    BlockLoader(Schedule& schedule, Buffer buffer, int64_t source, int64_t blocks, int64_t capacity, int64_t block_beats,
                int64_t bus_bytes)
        : m_schedule{schedule}, m_buffer{buffer}, m_source{source}, m_blocks{blocks}, m_beats{block_beats},
          m_bus_bytes{bus_bytes}, m_residency{capacity}, m_run{blocks <= capacity ? blocks : capacity / 2} {}

    Loaded request(int64_t output_block) {
        const int64_t start = output_block / m_run * m_run;
        Region& region = here(start);
        if (!region.loaded()) {
            const int64_t source = m_source + start * m_beats * m_bus_bytes;
            const int64_t destination = m_residency.ring.address(region.position) * m_beats;
            const int64_t load = add_linear_load(m_schedule, m_buffer, source, region.entries * m_beats, destination,
                                                 region.evicted_user);
            region.loads.emplace_back(region.entries, load);
        }
        return Loaded{m_residency.ring.address(region.position + output_block - start), region.loader(region.entries)};
    }

    void use(int64_t output_block, int64_t user) {
        const int64_t start = output_block / m_run * m_run;
        m_residency.ring.use(here(start).position + output_block - start, 1, user);
    }

private:
    Region& here(int64_t start) { return m_residency.request(start, std::min(m_run, m_blocks - start)); }

    Schedule& m_schedule;
    const Buffer m_buffer;
    const int64_t m_source;
    const int64_t m_blocks;
    const int64_t m_beats;
    const int64_t m_bus_bytes;
    Residency m_residency;
    const int64_t m_run;
};

}  // namespace wingrid
