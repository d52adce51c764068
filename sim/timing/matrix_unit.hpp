// The matrix unit's weights (hw/mesh/matrix_unit.py): one tile waits while the one before is in use.
#pragma once

#include "definitions.hpp"
#include "times.hpp"

namespace wingrid {

struct MatrixUnit {
    const Cycle rows;
    bool full = false;  // it is known when the waiting tile is complete
    Cycle complete = 0;  // from which cycle on
    Cycle taken = 0;     // when the tile before was taken, from which cycle on the next one's rows may enter

    // A tile's first row enters in `cycle`, and the others behind it.
    void load(Cycle cycle) {
        full = true;
        complete = cycle + rows;
    }

    void take(Cycle cycle) {
        full = false;
        taken = cycle;
    }
};

}  // namespace wingrid
