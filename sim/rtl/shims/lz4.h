// The two functions of LZ4 that Verilator's FST writer calls, for machines without LZ4's headers: a small
// greedy compressor for the LZ4 block format (github.com/lz4/lz4, doc/lz4_Block_format.md).
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

inline int LZ4_compressBound(int size) { return size + size / 255 + 16; }

namespace wingrid_lz4 {

constexpr int MIN_MATCH = 4;
constexpr int LAST_LITERALS = 5;   // the format: the last five bytes are literals,
constexpr int MATCH_LIMIT = 12;    // and the last match begins at least twelve bytes before the end
constexpr int MAX_OFFSET = 65535;
constexpr int HASH_BITS = 12;

inline uint32_t load(const uint8_t* at) {
    uint32_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

inline uint8_t* put_length(uint8_t* out, int rest) {
    for (; rest >= 255; rest -= 255) *out++ = 255;
    *out++ = rest;
    return out;
}

// Literals, then a match unless `match` is 0.
inline uint8_t* put_sequence(uint8_t* out, const uint8_t* literals, int count, int offset, int match) {
    const int extra = match ? match - MIN_MATCH : 0;
    *out++ = (count < 15 ? count : 15) << 4 | (extra < 15 ? extra : 15);
    if (count >= 15) out = put_length(out, count - 15);
    if (count) std::memcpy(out, literals, count);
    out += count;
    if (!match) return out;
    *out++ = offset & 255;
    *out++ = offset >> 8;
    return extra >= 15 ? put_length(out, extra - 15) : out;
}

}  // namespace wingrid_lz4

// Returns the compressed size, or 0 if `capacity` is below LZ4_compressBound(size).
inline int LZ4_compress_default(const char* source, char* target, int size, int capacity) {
    using namespace wingrid_lz4;
    if (capacity < LZ4_compressBound(size)) return 0;
    const auto* const begin = reinterpret_cast<const uint8_t*>(source);
    auto* const out_begin = reinterpret_cast<uint8_t*>(target);
    uint8_t* out = out_begin;
    std::vector<int> recent(1 << HASH_BITS, -1);
    int anchor = 0;
    for (int at = 0; at < size - MATCH_LIMIT;) {
        int& slot = recent[load(begin + at) * 2654435761u >> (32 - HASH_BITS)];
        const int candidate = slot;
        slot = at;
        if (candidate < 0 || at - candidate > MAX_OFFSET || load(begin + candidate) != load(begin + at)) {
            ++at;
            continue;
        }
        int match = MIN_MATCH;
        while (at + match < size - LAST_LITERALS && begin[candidate + match] == begin[at + match]) ++match;
        out = put_sequence(out, begin + anchor, at - anchor, at - candidate, match);
        at += match;
        anchor = at;
    }
    out = put_sequence(out, begin + anchor, size - anchor, 0, 0);
    return static_cast<int>(out - out_begin);
}
