// The cycles in which instructions enter the engines' queues and leave them, known to all units.
#pragma once

#include "times.hpp"

namespace wingrid {

struct Progress {
    // The first cycle in which the n-th instruction of its kind can be taken.
    Times queued_loads;
    Times queued_executes;
    Times queued_stores;
    // When the engines take them: an EXECUTE for its weights, and a direct or Winograd one for its vectors, or a sparse
    // one for both.
    Times loads;
    Times weights;
    Times direct;
    Times patches;
    Times blocks;
    Times sparse;
    Times stores;
    // When the last vector of the n-th EXECUTE of each sort enters the mesh, or its last entry the sparse lanes.
    Times direct_done;
    Times winograd_done;
    Times sparse_done;
    // The first cycle in which memory has acknowledged the results of all STOREs taken so far, if there is one.
    Cycle stored = 0;
};

}  // namespace wingrid
