// How long the next burst of a contiguous run may be (hw/bus/bursts.py).
#pragma once

#include <algorithm>

#include "definitions.hpp"

namespace wingrid {

inline uint32_t burst_beats(const Parameters& parameters, uint32_t address, uint32_t left) {
    const uint32_t to_boundary = (AXI_PAGE_BYTES - address % AXI_PAGE_BYTES) / parameters.bus_bytes;
    return std::min({left, parameters.burst_beats, to_boundary});
}

}  // namespace wingrid
