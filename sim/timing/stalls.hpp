// Where the cycles went (hw/control/counters.py): each one is busy or has one cause for which no vector entered the mesh.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "times.hpp"

namespace wingrid {

// Cycles from the first to the last, none if the last comes before the first.
struct Span {
    Cycle first;
    Cycle last;

    Cycle length() const { return std::max<Cycle>(0, last - first + 1); }
};

// Spans in order, and what two such lists have in common.
class Spans {
public:
    void add(Span span) {
        if (span.length()) m_spans.push_back(span);
    }

    Cycle length() const {
        Cycle total = 0;
        for (const Span& span : m_spans) total += span.length();
        return total;
    }

    Cycle common(const Spans& other) const {
        Cycle total = 0;
        auto theirs = other.m_spans.begin();
        for (const Span& span : m_spans) {
            while (theirs != other.m_spans.end() && theirs->last < span.first) ++theirs;
            for (auto it = theirs; it != other.m_spans.end() && it->first <= span.last; ++it)
                total += Span{std::max(span.first, it->first), std::min(span.last, it->last)}.length();
        }
        return total;
    }

private:
    std::vector<Span> m_spans;
};

struct Stalls {
    Cycle busy = 0;
    Cycle no_instruction = 0;
    Cycle weights = 0;
    Cycle inputs = 0;
    Cycle accumulators = 0;
    Cycle pipeline = 0;
    // The stream has no transformed block; a stall of INPUTS where the patch feeder awaits some at the same time.
    Spans transform;
    Spans awaiting_inputs;
};

}  // namespace wingrid
