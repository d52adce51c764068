// LOADs of pixels: host/compiler/pixel_loader.py and group_geometry.py, whose words explain it.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <tuple>
#include <vector>

#include "definitions.hpp"
#include "description.hpp"
#include "ring.hpp"
#include "schedule.hpp"

namespace wingrid {

struct Columns {
    int64_t left;
    int64_t start;
    int64_t stop;

    Columns(const Description& layer, const Group& group, const Box& box) {
        const int64_t origin = box.columns[0] * layer.dilation_x - layer.padding_left;
        left = group.start * layer.stride_x + origin;
        const int64_t last = (group.stop - 1) * layer.stride_x + origin + (box.column_count() - 1) * layer.dilation_x;
        start = std::max<int64_t>(left, 0);
        stop = std::max(start, std::min(last + 1, layer.width));
    }

    int64_t width() const { return stop - start; }
};

struct Rows {
    int64_t phase;
    int64_t step;
    int64_t top;
    int64_t start;
    int64_t stop;

    Rows(const Description& layer, const Group& group, const Box& box) {
        step = box.row_count() == 1 ? layer.stride_y : std::gcd(layer.stride_y, layer.dilation_y);
        const int64_t origin = box.rows[0] * layer.dilation_y - layer.padding_top;
        const int64_t first = group.first_row() * layer.stride_y + origin;
        const int64_t last = group.last_row() * layer.stride_y + origin + (box.row_count() - 1) * layer.dilation_y;
        phase = remainder(origin, step);
        top = quotient(first - phase, step);
        start = std::max<int64_t>(top, 0);
        stop = std::max(start, std::min(quotient(last - phase, step) + 1, -quotient(phase - layer.height, step)));
    }
};

// What a group reads of a chunk: rows and columns of the image, and entries from a row to the next.
struct View {
    Rows rows;
    Columns columns;
    int64_t row_entries;

    View(const Description& layer, const Group& group, const Box& chunk)
        : rows{layer, group, chunk}, columns{layer, group, chunk}, row_entries{chunk.block_count() * columns.width()} {}
};

// Successive rows of a chunk that were allocated together; loaded block by block.
struct Band {
    int64_t start;
    int64_t stop;
    Region region;

    int64_t origin(const View& view) const { return region.position - start * view.row_entries; }
};

class PixelLoader {
public:
    using Bands = std::vector<std::shared_ptr<Band>>;

    PixelLoader(const Description& layer, Schedule& schedule) : m_layer{layer}, m_schedule{schedule}, m_ring{layer.input_buffer} {}

    // The pixels that a group reads of a chunk.
    struct Pixels {
        const Group* group;
        const Box* chunk;
        View view;
        Bands bands;

        int64_t position() const { return bands.empty() ? 0 : bands.front()->origin(view); }
        bool missing(int64_t up_to_block) const {
            const int64_t end = up_to_block - chunk->blocks[0];
            return std::any_of(bands.begin(), bands.end(), [=](const auto& band) { return band->region.loaded() < end; });
        }
    };

    // Where they lie; room for those not there yet is allocated.
    Pixels place(const Group& group, int64_t chunk_number) {
        const Box& chunk = m_layer.boxes[chunk_number];
        Pixels pixels{&group, &chunk, View{m_layer, group, chunk}, {}};
        const View& view = pixels.view;
        const Rows& rows = view.rows;
        if (rows.start == rows.stop || !view.row_entries) return pixels;
        Bands& bands = m_bands[{group.image, group.start, group.stop, chunk_number}];
        std::erase_if(bands, [&](const auto& band) { return !m_ring.resident(band->region.position + band->region.entries - 1); });
        if (!continues(bands, view, chunk.block_count())) bands.clear();
        const int64_t start = bands.empty() ? rows.start : bands.back()->stop;
        if (start < rows.stop) {
            const int64_t entries = (rows.stop - start) * view.row_entries;
            bands.push_back(std::make_shared<Band>(Band{start, rows.stop, m_ring.allocate(entries)}));
        }
        pixels.bands = used(bands, view);
        return pixels;
    }

    // The LOADs that bring the rows, of blocks below `up_to_block`, are put into `loads`; what is there already stays.
    void request(const Pixels& pixels, int64_t up_to_block, std::vector<int64_t>& loads) {
        const int64_t end = up_to_block - pixels.chunk->blocks[0];
        for (const auto& band : pixels.bands)
            if (band->region.loaded() < end) load(pixels, *band, end);
        for (const auto& band : pixels.bands) loads.push_back(band->region.loader(end));
    }

    void use(const Pixels& pixels, int64_t user) {
        if (pixels.bands.empty()) return;
        const Rows& rows = pixels.view.rows;
        const int64_t entries = pixels.view.row_entries;
        m_ring.use(pixels.position() + rows.start * entries, (rows.stop - rows.start) * entries, user);
    }

    int64_t address(int64_t position) const { return m_ring.address(position); }
    int64_t depth() const { return m_ring.depth(); }

private:
    static Bands used(const Bands& bands, const View& view) {
        Bands found;
        for (const auto& band : bands)
            if (band->stop > view.rows.start && band->start < view.rows.stop) found.push_back(band);
        return found;
    }

    bool continues(const Bands& bands, const View& view, int64_t blocks) const {
        if (bands.empty()) return false;
        const Rows& rows = view.rows;
        const int64_t origin = bands.front()->origin(view);
        const int64_t new_rows = std::max<int64_t>(rows.stop - bands.back()->stop, 0);
        if (rows.start < bands.front()->start || rows.start > bands.back()->stop) return false;
        if (new_rows && m_ring.head() != origin + bands.back()->stop * view.row_entries) return false;
        const int64_t oldest = m_ring.head() + new_rows * view.row_entries - m_ring.depth();
        if (origin + rows.start * view.row_entries < oldest) return false;
        const Bands read = used(bands, view);
        return std::all_of(read.begin(), read.end(), [&](const auto& band) {
            return band->region.loaded() == blocks || band->region.position >= oldest;
        });
    }

    void load(const Pixels& pixels, Band& band, int64_t end) {
        const View& view = pixels.view;
        const Rows& rows = view.rows;
        const Columns& columns = view.columns;
        const int64_t start = band.region.loaded(), count = band.stop - band.start, bus = m_layer.bus_bytes;
        const int64_t block_beats = m_layer.height * m_layer.width;
        const int64_t first_block = pixels.group->image * m_layer.input_blocks + pixels.chunk->blocks[0] + start;
        const int64_t first_pixel = (rows.phase + band.start * rows.step) * m_layer.width + columns.start;
        const int64_t source = m_layer.inputs + (first_block * block_beats + first_pixel) * bus;
        const auto place = [&](int64_t block) { return m_ring.address(band.region.position + block * columns.width()); };
        Load load{};
        SET(load, opcode, static_cast<int>(Opcode::LOAD));
        SET(load, buffer, static_cast<int>(Buffer::INPUTS));
        SET(load, row_beats, columns.width());
        SET(load, row_pitch, view.row_entries % m_ring.depth());
        SET(load, block_pitch, columns.width() % m_ring.depth());
        SET(load, rows, count);
        int64_t last = NOBODY;
        if (count == 1 || (columns.width() == m_layer.width && rows.step == 1)) {
            const int64_t run_beats = count * columns.width(), runs = end - start;
            const bool whole = run_beats == block_beats;
            SET(load, source, source);
            SET(load, run_beats, whole ? run_beats * runs : run_beats);
            SET(load, runs, whole ? 1 : runs);
            SET(load, run_pitch, block_beats * bus);
            SET(load, destination, place(start));
            last = m_schedule.add(load, {&band.region.evicted_user, 1});
        } else {
            SET(load, run_beats, columns.width());
            SET(load, runs, count);
            SET(load, run_pitch, rows.step * m_layer.width * bus);
            for (int64_t block = start; block < end; ++block) {
                SET(load, source, source + (block - start) * block_beats * bus);
                SET(load, destination, place(block));
                last = m_schedule.add(load, {&band.region.evicted_user, 1});
            }
        }
        band.region.loads.emplace_back(end, last);
    }

    const Description& m_layer;
    Schedule& m_schedule;
    Ring m_ring;
    std::map<std::tuple<int64_t, int64_t, int64_t, int64_t>, Bands> m_bands;
};

}  // namespace wingrid
