// Cycles and sequences of them: all that the model computes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace wingrid {

// Cycle 0 is the one of the start; the machine runs from cycle 1 on.
using Cycle = int64_t;

// A register that is written in one cycle shows it in the next.
constexpr Cycle NEXT = 1;

// Not known yet: it depends on something that is still to come.
constexpr Cycle UNKNOWN = INT64_MAX / 2;

inline bool known(Cycle cycle) { return cycle < UNKNOWN; }

// The cycles of the first, second, ... occurrence of one thing, in order, as far as they are known.
class Times {
public:
    void add(Cycle cycle) { m_cycles.push_back(cycle); }
    ptrdiff_t count() const { return static_cast<ptrdiff_t>(m_cycles.size()); }
    // Of occurrence `index`; those before the first one were over before the start.
    Cycle at(ptrdiff_t index) const {
        if (index < 0) return 0;
        return index < count() ? m_cycles[index] : UNKNOWN;
    }
    Cycle last() const { return at(count() - 1); }

private:
    std::vector<Cycle> m_cycles;
};

// The first cycle in which a queue of that depth takes its payload `index`, if `left` tells when payloads leave.
inline Cycle room(const Times& left, ptrdiff_t index, ptrdiff_t depth) {
    return index < depth ? 0 : left.at(index - depth) + NEXT;
}

}  // namespace wingrid
