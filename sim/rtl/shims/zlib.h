// The two functions of zlib that Verilator's FST writer calls, for machines without zlib's headers.
// compress2() makes a valid zlib stream (RFC 1950) of stored blocks (RFC 1951, 3.2.4): nothing gets smaller,
// and the FST writer then keeps the data as they are.
#pragma once

#include <cstdint>
#include <cstring>

using uLong = unsigned long;
using uLongf = uLong;
using Bytef = unsigned char;

constexpr int Z_OK = 0;
constexpr int Z_BUF_ERROR = -5;
constexpr uLong WINGRID_STORED_BLOCK = 65535;

inline uLong compressBound(uLong size) { return 2 + 5 * (size / WINGRID_STORED_BLOCK + 1) + size + 4; }

inline int compress2(Bytef* target, uLongf* target_size, const Bytef* source, uLong size, int /*level*/) {
    if (*target_size < compressBound(size)) return Z_BUF_ERROR;
    Bytef* out = target;
    *out++ = 0x78;  // deflate, 32 KiB window
    *out++ = 0x01;
    uint32_t low = 1, high = 0;  // Adler-32
    for (uLong i = 0; i < size; ++i) {
        low = (low + source[i]) % 65521;
        high = (high + low) % 65521;
    }
    uLong done = 0;
    do {
        const uLong length = size - done < WINGRID_STORED_BLOCK ? size - done : WINGRID_STORED_BLOCK;
        *out++ = done + length == size;  // last block?
        *out++ = length & 255;
        *out++ = length >> 8;
        *out++ = ~length & 255;
        *out++ = ~length >> 8 & 255;
        std::memcpy(out, source + done, length);
        out += length;
        done += length;
    } while (done < size);
    for (const uint32_t half : {high, low}) {
        *out++ = half >> 8;
        *out++ = half & 255;
    }
    *target_size = out - target;
    return Z_OK;
}
