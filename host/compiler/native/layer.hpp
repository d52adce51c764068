// A layer and its plan, as host/compiler/native_lowering.py describes them.
#pragma once

#include <cstdint>
#include <span>

#include "definitions.hpp"

namespace wingrid {

// Output columns from start to stop of an image, and a run of outputs in them.
struct Group {
    int64_t image;
    int64_t start;
    int64_t stop;
    int64_t first;
    int64_t count;

    int64_t width() const { return stop - start; }
    int64_t first_row() const { return first / width(); }
    int64_t last_row() const { return (first + count - 1) / width(); }
};

// Taps of a kernel: input blocks, rows and columns, each from start to stop.
struct Box {
    int64_t blocks[2];
    int64_t rows[2];
    int64_t columns[2];
    int64_t steps[2];  // taps down and right of an EXECUTE over it, a patch's if it is one
    int64_t tiles;   // weight tiles of its taps
    int64_t offset;  // weight tiles from those of the first tap of input block 0 to its first one

    int64_t block_count() const { return blocks[1] - blocks[0]; }
    int64_t row_count() const { return rows[1] - rows[0]; }
    int64_t column_count() const { return columns[1] - columns[0]; }
};

// From start to stop in a list.
struct Run {
    int64_t start;
    int64_t stop;
};

// Output blocks, and runs in the lists of chunks, of batches and of windows.
struct Pass {
    Run blocks;
    Run chunks;
    Run batches;
    int64_t windows;  // for each chunk and output block, the box of taps that the block has of the chunk, or none
};

constexpr int64_t NO_BOX = -1;

inline std::span<const int64_t> among(const int64_t* list, const Run& run) { return {list + run.start, list + run.stop}; }

}  // namespace wingrid
