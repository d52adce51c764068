// The program as it grows, and the semaphores that its dependencies become: host/compiler/synchronise.py, whose words
// explain it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "definitions.hpp"
#include "description.hpp"
#include "ring.hpp"

// Gives a field of an instruction a value; throws if it does not fit.
#define SET(instruction, field, value) ((instruction).field = ::wingrid::fitting<decltype((instruction).field)>(value, #field))

namespace wingrid {

template <typename Field>
Field fitting(int64_t value, const char* name) {
    using Limits = std::numeric_limits<Field>;
    if (value < int64_t{Limits::min()} || value > int64_t{Limits::max()})
        throw std::range_error(std::string{"field "} + name + " = " + std::to_string(value) + " does not fit");
    return static_cast<Field>(value);
}

// The program is longer than an index may count.
struct TooLong : std::runtime_error {
    TooLong() : std::runtime_error("") {}
};

class Schedule {
public:
    // Appends an instruction that must not start before those in `after` are done; returns its index.
    template <typename Fields>
    int64_t add(const Fields& fields, std::span<const int64_t> after) {
        const int64_t index = size();
        if (index + 1 >= int64_t{1} << PC_BITS) throw TooLong{};
        m_words.resize(m_words.size() + INSTRUCTION_BYTES);
        uint8_t* const word = m_words.data() + index * INSTRUCTION_BYTES;
        std::memcpy(word, &fields, sizeof fields);
        m_kinds.push_back(kind(fields));
        m_after.assign(after.begin(), after.end());
        std::sort(m_after.begin(), m_after.end());
        for (const int64_t producer : m_after)
            if (producer != NOBODY) depend(index, producer);
        return index;
    }

    // The whole program, its semaphores set.
    std::vector<uint8_t> finish() {
        for (size_t semaphore = 0; semaphore < SEMAPHORES; ++semaphore)
            for (const auto& [consumer, producer] : limit_pending(m_needs[semaphore])) {
                m_words[consumer * INSTRUCTION_BYTES + offsetof(Load, wait)] |= 1 << semaphore;
                m_words[producer * INSTRUCTION_BYTES + offsetof(Load, signal)] |= 1 << semaphore;
            }
        return std::move(m_words);
    }

    int64_t size() const { return static_cast<int64_t>(m_kinds.size()); }

private:
    using Pairs = std::vector<std::pair<int64_t, int64_t>>;  // consumer, producer

    // A LOAD counts by its buffer.
    enum Kind : uint8_t { LOAD_INPUTS, LOAD_WEIGHTS, LOAD_PARAMETERS, LOAD_TABLES, LOAD_ADDENDS, LOAD_CODES, EXECUTE, STORE };

    static_assert(static_cast<int>(Buffer::INPUTS) == LOAD_INPUTS && static_cast<int>(Buffer::WEIGHTS) == LOAD_WEIGHTS
                  && static_cast<int>(Buffer::PARAMETERS) == LOAD_PARAMETERS
                  && static_cast<int>(Buffer::TABLES) == LOAD_TABLES
                  && static_cast<int>(Buffer::ADDENDS) == LOAD_ADDENDS
                  && static_cast<int>(Buffer::CODES) == LOAD_CODES);

    static Kind kind(const Load& load) { return static_cast<Kind>(load.buffer); }
    static Kind kind(const Execute&) { return EXECUTE; }
    static Kind kind(const Store&) { return STORE; }

    static Semaphore between(Kind producer, Kind consumer) {
        switch (producer) {
            case LOAD_INPUTS: return Semaphore::INPUTS_LOADED;
            case LOAD_WEIGHTS:
            case LOAD_CODES: return Semaphore::WEIGHTS_LOADED;
            case LOAD_PARAMETERS:
            case LOAD_TABLES:
            case LOAD_ADDENDS: return Semaphore::PARAMETERS_LOADED;
            case EXECUTE: return consumer == STORE ? Semaphore::SUMS_READY : Semaphore::OPERANDS_RELEASED;
            default: return consumer == EXECUTE ? Semaphore::BANK_RELEASED : Semaphore::PARAMETERS_RELEASED;
        }
    }

    void depend(int64_t consumer, int64_t producer) {
        Pairs& pairs = m_needs[static_cast<size_t>(between(m_kinds[producer], m_kinds[consumer]))];
        if (!pairs.empty() && pairs.back().second >= producer) return;
        if (!pairs.empty() && pairs.back().first == consumer) pairs.pop_back();
        pairs.emplace_back(consumer, producer);
    }

    static Pairs limit_pending(const Pairs& pairs) {
        Pairs kept;
        size_t signalled = 0;
        for (size_t position = 0; position < pairs.size();) {
            auto [consumer, producer] = pairs[position];
            signalled = std::max(signalled, position);
            while (signalled < pairs.size() && pairs[signalled].second < consumer) ++signalled;
            if (signalled - position > MOST_PENDING) {
                producer = pairs[signalled - 1].second;
                position = signalled;
            } else {
                ++position;
            }
            kept.emplace_back(consumer, producer);
        }
        return kept;
    }

    std::vector<uint8_t> m_words;
    std::vector<Kind> m_kinds;
    std::vector<int64_t> m_after;
    std::array<Pairs, SEMAPHORES> m_needs;
};

}  // namespace wingrid
