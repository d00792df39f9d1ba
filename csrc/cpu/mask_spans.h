#pragma once

#include <cmath>

#include "core/masks.h"

namespace edgeseg::cpu {

// Pixels, from the first to past the last.
struct Span {
    int begin, end;
};

// Those of `within` that core::holds.
inline Span held_span(const core::GridAxis& axis, Span within) {
    const auto first_from = [&](float edge) {
        const double px = std::ceil(static_cast<double>(edge) - 0.5);
        if (!(px > within.begin)) return within.begin;
        return px < within.end ? static_cast<int>(px) : within.end;
    };
    if (!(axis.begin < axis.end)) return {within.begin, within.begin};
    return {first_from(axis.begin), first_from(axis.end)};
}

}  // namespace edgeseg::cpu
