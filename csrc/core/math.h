#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/hd.h"

namespace edgeseg::core {

EDGESEG_HD inline float lesser(float a, float b) { return a < b ? a : b; }
EDGESEG_HD inline float greater(float a, float b) { return a > b ? a : b; }
EDGESEG_HD inline bool is_nan(float x) { return x != x; }
EDGESEG_HD inline bool is_finite(float x) { return x - x == 0.0f; }

// 2^n, for n from -126 to 127.
EDGESEG_HD inline float power_of_two(int n) {
    const std::uint32_t bits = static_cast<std::uint32_t>(n + 127) << 23;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

// e^x within 2 units in the last place; infinite above 88.72, 0 below -87.33, NaN for NaN.
//
// Our own, because the library's exp differs between libm, musl and CUDA: with it
// one machine would find a candidate at the threshold that another does not.
// Selects instead of branches, so that the compiler computes several at once.
EDGESEG_HD inline float exponential(float x) {
    constexpr float kHighest = 88.72283f;
    constexpr float kLowest = -87.33654f;
    const float raised = x > kLowest ? x : kLowest;  // also NaN, which no int could hold
    const float held = raised < kHighest ? raised : kHighest;
    // x = n ln 2 + r with |r| <= ln 2 / 2. The first part of ln 2 has so few bits
    // that n times it is exact.
    const float nearest = held * 1.44269504f + 0.5f;
    const int truncated = static_cast<int>(nearest);
    const int power = truncated - (static_cast<float>(truncated) > nearest ? 1 : 0);
    const float n = static_cast<float>(power);
    const float r = (held - n * 0.693359375f) - n * -2.12194440e-4f;
    // Taylor series to r^7 / 7!: the rest is below 6e-9.
    float sum = 1.0f / 5040.0f;
    sum = sum * r + 1.0f / 720.0f;
    sum = sum * r + 1.0f / 120.0f;
    sum = sum * r + 1.0f / 24.0f;
    sum = sum * r + 1.0f / 6.0f;
    sum = sum * r + 0.5f;
    sum = (sum * r) * r + r + 1.0f;
    // In two steps, because 2^128 alone would overflow.
    const int half = power / 2;
    const float inside = sum * power_of_two(half) * power_of_two(power - half);
    const float bounded = x > kHighest ? HUGE_VALF : x < kLowest ? 0.0f : inside;
    return is_nan(x) ? x : bounded;
}

EDGESEG_HD inline float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

// A value that no x with sigmoid(x) > probability lies below, for a probability from 0 to 1:
// the cheap first test of a threshold. It lets a few too many pass, never one too few.
EDGESEG_HD inline float logit_floor(float probability) {
    const float p = probability * (1.0f - 2e-6f);
    const float odds = p / (1.0f - p);
    std::uint32_t bits;
    std::memcpy(&bits, &odds, sizeof bits);
    // Read as a number, the bits of a float are its base-2 logarithm with straight lines
    // between the powers of two: up to 0.09 below the true one, never above.
    const float log2 = static_cast<float>(static_cast<std::int32_t>(bits)) / 8388608.0f - 127.0f;
    // Odds too small to be a normal number: everything passes.
    return p > 1.2e-38f ? log2 * 0.69314718f - 1e-3f : -HUGE_VALF;
}

}  // namespace edgeseg::core
