// In front of Verilator's own: what its FST writer finds wrong, mostly a disk without room, is thrown, and does not end
// the process.
#pragma once

#include <stdexcept>

#include_next <fstcpp/fstcpp_assertion.h>

#undef FST_CHECK
#undef FST_CHECK_EQ
#undef FST_CHECK_NE
#undef FST_CHECK_GT
#undef FST_CHECK_GE
#undef FST_CHECK_LT
#undef FST_CHECK_LE

#define FST_CHECK(a)                                                          \
    do {                                                                      \
        if (!(a)) [[unlikely]] throw std::runtime_error("FST writer: not " #a); \
    } while (false)
#define FST_CHECK_EQ(a, b) FST_CHECK((a) == (b))
#define FST_CHECK_NE(a, b) FST_CHECK((a) != (b))
#define FST_CHECK_GT(a, b) FST_CHECK((a) > (b))
#define FST_CHECK_GE(a, b) FST_CHECK((a) >= (b))
#define FST_CHECK_LT(a, b) FST_CHECK((a) < (b))
#define FST_CHECK_LE(a, b) FST_CHECK((a) <= (b))
