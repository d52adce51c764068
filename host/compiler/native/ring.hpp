// Which data a buffer holds: host/compiler/residency.py, whose words explain it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

namespace wingrid {

constexpr int64_t NOBODY = -1;

// The remainder that is never negative, and the quotient that goes with it.
inline int64_t remainder(int64_t value, int64_t by) { return (value % by + by) % by; }
inline int64_t quotient(int64_t value, int64_t by) { return (value - remainder(value, by)) / by; }

// A contiguous allocation that is loaded from its start on, piece by piece.
struct Region {
    int64_t position = 0;
    int64_t entries = 0;
    int64_t evicted_user = NOBODY;
    std::vector<std::pair<int64_t, int64_t>> loads;  // up to where, and by which instruction

    int64_t loaded() const { return loads.empty() ? 0 : loads.back().first; }
    int64_t loader(int64_t end) const {
        return std::lower_bound(loads.begin(), loads.end(), std::pair{end, int64_t{-1}})->second;
    }
};

class Ring {
public:
    explicit Ring(int64_t depth) : m_depth{depth} {}

    Region allocate(int64_t entries) {
        const int64_t position = m_head;
        m_head += entries;
        const int64_t oldest = m_head - m_depth;
        int64_t user = NOBODY;
        for (auto run = m_users.begin(); run != m_users.end() && run->first.first < oldest;) {
            user = std::max(user, run->second);
            run = run->first.second <= oldest ? m_users.erase(run) : std::next(run);
        }
        // If the new data never come, whoever comes after them must still wait.
        if (user != NOBODY) use(position, entries, user);
        return Region{position, entries, user, {}};
    }

    void use(int64_t position, int64_t entries, int64_t user) { m_users[{position, position + entries}] = user; }
    bool resident(int64_t position) const { return position >= m_head - m_depth; }
    int64_t address(int64_t position) const { return remainder(position, m_depth); }
    int64_t head() const { return m_head; }
    int64_t depth() const { return m_depth; }

private:
    const int64_t m_depth;
    int64_t m_head = 0;
    std::map<std::pair<int64_t, int64_t>, int64_t> m_users;
};

// Regions of a ring by key.
class Residency {
public:
    explicit Residency(int64_t depth) : ring{depth} {}

    Region& request(int64_t key, int64_t entries) {
        const auto [place, added] = m_regions.try_emplace(key);
        if (added || !ring.resident(place->second.position)) place->second = ring.allocate(entries);
        return place->second;
    }
    bool resident(int64_t key) const {
        const auto place = m_regions.find(key);
        return place != m_regions.end() && ring.resident(place->second.position);
    }

    Ring ring;

private:
    std::unordered_map<int64_t, Region> m_regions;
};

}  // namespace wingrid
