// From a plan to a program: host/compiler/lowering.py, whose words explain it, for programs of millions of instructions.

#include <cstdio>
#include <exception>
#include <vector>

#include "addends.hpp"
#include "definitions.hpp"
#include "description.hpp"
#include "pixels.hpp"
#include "schedule.hpp"
#include "weights.hpp"

#define WINGRID_API extern "C" __attribute__((visibility("default")))

namespace wingrid {

class Lowering {
public:
    explicit Lowering(const Description& layer)
        : m_layer{layer}, m_weights{layer, m_schedule},
          m_parameters{m_schedule, Buffer::PARAMETERS, layer.parameters, layer.output_blocks, layer.parameter_blocks,
                       PARAMETER_BYTES, layer.bus_bytes},
          m_tables{m_schedule, Buffer::TABLES, layer.tables, layer.layer_tables, layer.table_capacity, TABLE_ENTRIES,
                   layer.bus_bytes},
          m_addends{layer, m_schedule}, m_pixels{layer, m_schedule} {}

    std::vector<uint8_t> emit() {
        std::vector<const Pass*> order;
        for (int64_t region = 0; region < m_layer.region_count; ++region) {
            // What is still there is used before anything takes its place.
            order.clear();
            for (const bool to_come : {false, true})
                for (int64_t number = 0; number < m_layer.pass_count; ++number)
                    if (weights_to_come(m_layer.passes[number]) == to_come) order.push_back(&m_layer.passes[number]);
            for (const Pass* pass : order) work_through(m_layer.regions[region], *pass);
        }
        return m_schedule.finish();
    }

private:
    void work_through(const Run& region, const Pass& pass) {
        for (int64_t group = region.start; group < region.stop; ++group)
            for (int64_t batch = pass.batches.start; batch < pass.batches.stop; ++batch)
                work_through(m_layer.groups[group], pass, m_layer.batches[batch]);
    }

    const Box* window(const Pass& pass, int64_t chunk, int64_t block) const {
        const int64_t blocks = pass.blocks.stop - pass.blocks.start;
        const int64_t number = m_layer.windows[pass.windows + (chunk - pass.chunks.start) * blocks + block - pass.blocks.start];
        return number == NO_BOX ? nullptr : m_layer.boxes + number;
    }

    std::span<const int64_t> pieces(const Box& box) const { return among(m_layer.pieces, m_layer.piece_runs[&box - m_layer.boxes]); }
    std::span<const int64_t> openings(const Box& box) const {
        return among(m_layer.openings, m_layer.opening_runs[&box - m_layer.boxes]);
    }

    bool weights_to_come(const Pass& pass) const {
        for (int64_t chunk = pass.chunks.start; chunk < pass.chunks.stop; ++chunk)
            for (int64_t block = pass.blocks.start; block < pass.blocks.stop; ++block)
                if (const Box* box = window(pass, chunk, block))
                    for (const int64_t piece : pieces(*box))
                        if (!m_weights.resident(block, m_layer.boxes[piece])) return true;
        return false;
    }

    // One group of several output blocks, summed up side by side in an accumulator bank.
    void work_through(const Group& group, const Pass& pass, const Run& batch) {
        m_begun.assign(batch.stop - batch.start, false);
        int64_t last = NOBODY;
        for (int64_t chunk = pass.chunks.start; chunk < pass.chunks.stop; ++chunk) {
            bool any = false;
            for (int64_t block = batch.start; block < batch.stop; ++block) any |= window(pass, chunk, block) != nullptr;
            if (!any) continue;
            const PixelLoader::Pixels pixels = m_pixels.place(group, m_layer.chunks[chunk]);
            for (int64_t block = batch.start; block < batch.stop; ++block) {
                const Box* box = window(pass, chunk, block);
                if (!box) continue;
                const int64_t slot = block - batch.start;
                for (const int64_t number : pieces(*box)) {
                    const Box& piece = m_layer.boxes[number];
                    const WeightLoader::Piece weights = m_weights.piece(block, piece);
                    // Where pixels have still to come, work starts with the first few blocks of them.
                    const std::span<const int64_t> parts =
                        pixels.missing(piece.blocks[1]) ? openings(piece) : std::span<const int64_t>{&number, 1};
                    for (const int64_t part : parts) {
                        last = execute(slot, pixels, weights, m_layer.boxes[part], m_begun[slot]);
                        m_begun[slot] = true;
                    }
                    m_weights.use(weights, last);
                }
            }
            m_pixels.use(pixels, last);
        }
        for (int64_t block = batch.start; block < batch.stop; ++block)
            m_bank_user[m_bank] = store(group, block, block - batch.start, last);
        m_bank = (m_bank + 1) % BANKS;
    }

    int64_t execute(int64_t slot, const PixelLoader::Pixels& pixels, const WeightLoader::Piece& piece, const Box& part,
                    bool accumulate) {
        m_after.clear();
        m_pixels.request(pixels, part.blocks[1], m_after);
        const Loaded weights = m_weights.request(piece, part);
        m_after.push_back(weights.load);
        m_after.push_back(m_bank_user[m_bank]);

        const Group& group = *pixels.group;
        const Box& chunk = *pixels.chunk;
        const Rows& rows = pixels.view.rows;
        const Columns& columns = pixels.view.columns;
        const int64_t row_entries = pixels.view.row_entries, depth = m_pixels.depth();
        const int64_t step_x = m_layer.stride_x <= LARGEST_STRIDE ? m_layer.stride_x : 1;
        // How far apart in the buffer two kernel rows lie that are so many image rows apart.
        const auto buffer_rows = [&](int64_t image_rows) { return chunk.row_count() > 1 ? image_rows / rows.step : 0; };
        // Kernel rows and columns of the part, as steps down and right from the chunk's first tap.
        const int64_t down = part.rows[0] - chunk.rows[0], right = part.columns[0] - chunk.columns[0];
        const int64_t base = pixels.position() + (rows.top + down * buffer_rows(m_layer.dilation_y)) * row_entries
                             + (part.blocks[0] - chunk.blocks[0]) * columns.width() + columns.left - columns.start
                             + right * m_layer.dilation_x;
        Execute execute{};
        SET(execute, opcode, static_cast<int>(Opcode::EXECUTE));
        SET(execute, bank, m_bank);
        SET(execute, accumulate, accumulate);
        SET(execute, tile, m_layer.tile);
        SET(execute, zero_point, m_layer.x_zero_point);
        SET(execute, kernel_height, part.steps[0]);
        SET(execute, kernel_width, part.steps[1]);
        SET(execute, stride_y, m_layer.stride_y <= LARGEST_STRIDE ? m_layer.stride_y : 1);
        SET(execute, stride_x, step_x);
        SET(execute, dilation_y, part.steps[0] > 1 ? m_layer.tap_pitch_y : 1);
        SET(execute, tap_pitch, part.steps[1] > 1 ? m_layer.tap_pitch_x : 1);
        SET(execute, count, group.count);
        SET(execute, blocks, part.block_count());
        SET(execute, first, group.first % group.width() * step_x);
        SET(execute, last, (group.width() - 1) * step_x);
        SET(execute, top, rows.phase + rows.top * rows.step + down * m_layer.dilation_y);
        SET(execute, left, columns.left + right * m_layer.dilation_x);
        SET(execute, image_height, m_layer.height);
        SET(execute, image_width, m_layer.width);
        SET(execute, accumulator_base, accumulator_base(slot));
        SET(execute, input_base, m_pixels.address(base));
        SET(execute, row_pitch, m_layer.stride_y / rows.step * row_entries % depth);
        SET(execute, block_pitch, columns.width() % depth);
        SET(execute, tap_row_pitch, buffer_rows(m_layer.tap_pitch_y) * row_entries % depth);
        SET(execute, weight_base, weights.place);
        SET(execute, coded, m_layer.code_entries != 0);
        return m_schedule.add(execute, m_after);
    }

    int64_t store(const Group& group, int64_t block, int64_t slot, int64_t after) {
        const Loaded parameters = m_parameters.request(block);
        const int64_t table_block = m_layer.layer_tables > 1 ? block : 0;
        const Loaded table = m_layer.layer_tables ? m_tables.request(table_block) : Loaded{-1, NOBODY};
        const bool pools = m_layer.pool_side != 0, gathers = pools && !m_layer.tile;
        const int64_t side = m_layer.pool_side, stride = m_layer.pool_stride;
        int64_t row, column, first, width, count = group.count;
        Store store{};
        if (gathers) {
            const auto outputs = [=](int64_t pixels) { return quotient(pixels - side, stride) + 1; };
            const int64_t lines = outputs(group.count / group.width());
            row = group.first_row() / stride;
            column = group.start / stride;
            first = 0;
            width = outputs(group.width());
            count = width * lines;
            SET(store, sum_pitch, group.width());
            // A single row of windows is never left, however far the next one would be.
            SET(store, sum_row_pitch, lines > 1 ? stride * group.width() : 0);
        } else {
            int64_t size = m_layer.tile ? m_layer.tile : 1;
            if (pools) size /= stride;
            row = group.first_row() * size;
            column = group.start * size;
            first = group.first % group.width() * size;
            width = std::min(group.width() * size, m_layer.output_width - column);
        }
        const int64_t plane = group.image * m_layer.output_blocks + block;
        int64_t pixel = plane * m_layer.plane_pixels + row * m_layer.row_pixels + column * m_layer.column_pixels;
        if (!m_layer.tile && !pools && width * m_layer.pixel_pitch == m_layer.row_pixels) {
            // Rows that fill the image's follow each other in memory: one long row makes longer bursts.
            pixel += first * m_layer.pixel_pitch;
            first = 0;
            width = group.count;
        }
        SET(store, opcode, static_cast<int>(Opcode::STORE));
        SET(store, bank, m_bank);
        SET(store, tile, m_layer.tile);
        SET(store, zero_point, m_layer.y_zero_point);
        SET(store, minimum, m_layer.minimum);
        SET(store, maximum, m_layer.maximum);
        SET(store, count, count);
        SET(store, accumulator_base, accumulator_base(slot));
        SET(store, parameter_block, parameters.place);
        SET(store, first, first);
        SET(store, width, width);
        SET(store, lines, m_layer.output_height - row);
        SET(store, destination, m_layer.outputs + pixel * m_layer.bus_bytes);
        SET(store, row_pitch, m_layer.row_pixels * m_layer.bus_bytes);
        SET(store, pool, side);
        SET(store, pool_stride, stride);
        SET(store, table, table.place + 1);
        SET(store, pixel_pitch, m_layer.pixel_pitch > 1 ? m_layer.pixel_pitch : 0);
        Loaded addends{0, NOBODY};
        if (m_layer.combination) {
            // Squares of a row: tiles, or the pooling windows of a strip.
            addends = m_addends.load(group, gathers ? width : group.width(), count, block);
            SET(store, combination, m_layer.combination);
            SET(store, broadcast, m_layer.broadcast);
            SET(store, addend_base, addends.place);
            SET(store, factor, m_layer.factor);
            SET(store, addend_factor, m_layer.addend_factor);
            SET(store, offset, m_layer.offset);
            SET(store, result_zero, m_layer.result_zero);
            SET(store, addend_zero, m_layer.addend_zero);
        }
        const int64_t after_all[] = {parameters.load, table.load, addends.load, after};
        const int64_t index = m_schedule.add(store, after_all);
        m_parameters.use(block, index);
        if (m_layer.layer_tables) m_tables.use(table_block, index);
        if (m_layer.combination) m_addends.use(index);
        return index;
    }

    int64_t accumulator_base(int64_t slot) const { return slot * m_layer.largest_group * m_layer.positions; }

    static constexpr int BANKS = 2;

    const Description& m_layer;
    Schedule m_schedule;
    WeightLoader m_weights;
    BlockLoader m_parameters;
    BlockLoader m_tables;
    AddendLoader m_addends;
    PixelLoader m_pixels;
    std::vector<bool> m_begun;
    std::vector<int64_t> m_after;
    int m_bank = 0;
    int64_t m_bank_user[BANKS] = {NOBODY, NOBODY};
};

}  // namespace wingrid

using Words = std::vector<uint8_t>;

// The program, to be handed back to `wingrid_release`. Null without a message in `error` if it is longer than programs can
// be, and with one, of at most `room` bytes, if it fails.
WINGRID_API Words* wingrid_lower(const wingrid::Description* layer, char* error, uint64_t room) {
    try {
        return new Words{wingrid::Lowering{*layer}.emit()};
    } catch (const wingrid::TooLong&) {
        *error = 0;
    } catch (const std::exception& problem) {
        std::snprintf(error, room, "%s", problem.what());
    }
    return nullptr;
}

WINGRID_API uint64_t wingrid_words(const Words* words, const uint8_t** bytes) {
    *bytes = words->data();
    return words->size();
}

WINGRID_API void wingrid_release(Words* words) { delete words; }
