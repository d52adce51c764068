// The counting semaphores: the n-th take of one waits for its n-th signal.
#pragma once

#include <array>

#include "definitions.hpp"
#include "program.hpp"
#include "times.hpp"

namespace wingrid {

class Semaphores {
public:
    explicit Semaphores(const Parameters& parameters) : m_latency{parameters.semaphore_latency} {}

    void signal(Semaphore semaphore, Cycle cycle) { m_signals[index(semaphore)].add(cycle); }

    // The first cycle in which the semaphore can be taken once more, if the mask waits for it.
    Cycle available(uint8_t wait, Semaphore semaphore) const {
        if (!has(wait, semaphore)) return 0;
        const Cycle signalled = m_signals[index(semaphore)].at(m_taken[index(semaphore)]);
        return known(signalled) ? signalled + m_latency : UNKNOWN;
    }

    void take(uint8_t wait, Semaphore semaphore) { m_taken[index(semaphore)] += has(wait, semaphore); }

private:
    static size_t index(Semaphore semaphore) { return static_cast<size_t>(semaphore); }

    const Cycle m_latency;
    std::array<Times, SEMAPHORES> m_signals;
    std::array<ptrdiff_t, SEMAPHORES> m_taken{};
};

}  // namespace wingrid
