// The matrix unit's weights (hw/mesh/matrix_unit.py): one tile waits while the one before is in use, and the first row of
// the one after that in a register.
#pragma once

#include "definitions.hpp"
#include "times.hpp"

namespace wingrid {

struct MatrixUnit {
    const Cycle rows;
    bool full = false;  // it is known when the waiting tile is complete
    Cycle complete = 0;  // from which cycle on
    Cycle taken = 0;     // when the tile before was taken; the next one's rows but the first are transferred after that

    // A tile whose first row is transferred in `cycle` or later, the others behind it and behind the last take; returns
    // the cycle of the second one.
    Cycle load(Cycle cycle) {
        const Cycle second = std::max(cycle, taken) + NEXT;
        full = true;
        complete = second + rows - 1;
        return second;
    }

    void take(Cycle cycle) {
        full = false;
        taken = cycle;
    }
};

}  // namespace wingrid
