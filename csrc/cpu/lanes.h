#pragma once

#include <cstdint>
#include <cstring>

namespace edgeseg::cpu {

// Four numbers side by side, in the vector extension that GCC and Clang share: SSE2 and NEON
// from one text. A comparison gives -1 in the lanes where it holds, else 0.
using Floats = float __attribute__((vector_size(16)));
using Ints = std::int32_t __attribute__((vector_size(16)));

inline Floats load(const float* values) {
    Floats lanes;
    std::memcpy(&lanes, values, sizeof lanes);
    return lanes;
}

inline bool any(Ints holds) {
    std::uint64_t halves[2];
    std::memcpy(halves, &holds, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

}  // namespace edgeseg::cpu
