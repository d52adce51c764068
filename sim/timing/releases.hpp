// Operands are released when both an instruction's weights and its vectors are read (hw/execute/execute_engine.py).
#pragma once

#include "semaphores.hpp"
#include "times.hpp"

namespace wingrid {

class Releases {
public:
    explicit Releases(Semaphores& semaphores) : m_semaphores{semaphores} {}

    void weights(Cycle cycle) { add(m_weights, cycle); }
    void vectors(Cycle cycle) { add(m_vectors, cycle); }

private:
    void add(Times& times, Cycle cycle) {
        times.add(cycle);
        for (; m_released < std::min(m_weights.count(), m_vectors.count()); ++m_released)
            m_semaphores.signal(Semaphore::OPERANDS_RELEASED, std::max(m_weights.at(m_released), m_vectors.at(m_released)));
    }

    Semaphores& m_semaphores;
    Times m_weights;
    Times m_vectors;
    ptrdiff_t m_released = 0;
};

}  // namespace wingrid
