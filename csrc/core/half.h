#pragma once

#include <cstdint>
#include <cstring>

#include "core/hd.h"

#if defined(__CUDACC__)
#include <cuda_fp16.h>
#endif

namespace edgeseg::core {

// IEEE binary16 as it lies in memory.
struct Half {
    std::uint16_t bits;
};

EDGESEG_HD inline float to_float(float value) { return value; }

EDGESEG_HD inline float to_float(Half value) {
#if defined(__CUDA_ARCH__)
    return __half2float(__ushort_as_half(value.bits));
#else
    const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000u) << 16;
    const std::uint32_t exponent = value.bits >> 10 & 31u;
    const std::uint32_t fraction = value.bits & 1023u;
    if (exponent == 0) {
        const float size = static_cast<float>(fraction) / 16777216.0f;
        return sign ? -size : size;
    }
    const std::uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
    const std::uint32_t bits = sign | wide << 23 | fraction << 13;
    float number;
    std::memcpy(&number, &bits, sizeof number);
    return number;
#endif
}

// The nearest, ties to even; infinite from 65520 on.
EDGESEG_HD inline Half to_half(float value) {
#if defined(__CUDA_ARCH__)
    return {__half_as_ushort(__float2half_rn(value))};
#else
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
    bits &= 0x7fffffffu;
    std::uint32_t half;
    if (bits > 0x7f800000u) {
        half = 0x7fffu;
    } else if (bits >= 0x477ff000u) {
        half = 0x7c00u;
    } else if (bits >= 0x38800000u) {
        half = (bits + 0xfffu + (bits >> 13 & 1u) - 0x38000000u) >> 13;
    } else {
        // Beside 0.5 a float32 has the steps of a half below 2^-14: the sum rounds for us.
        float magnitude;
        std::memcpy(&magnitude, &bits, sizeof magnitude);
        const float rounded = magnitude + 0.5f;
        std::memcpy(&half, &rounded, sizeof half);
        half -= 0x3f000000u;
    }
    return {static_cast<std::uint16_t>(sign | half)};
#endif
}

template <typename Value>
EDGESEG_HD inline Value from_float(float value);

template <>
EDGESEG_HD inline float from_float<float>(float value) {
    return value;
}

template <>
EDGESEG_HD inline Half from_float<Half>(float value) {
    return to_half(value);
}

}  // namespace edgeseg::core
