#pragma once

#include <cstdint>

#include "core/argmax.h"
#include "ops/device.h"

namespace edgeseg {

struct ArgmaxOptions {
    bool has_floor = false;
    float floor = 0.0f;  // a pixel whose best score is not above it gets `below`
    std::uint16_t below = 0;
};

// Give each pixel the class that scores highest there, row by row into `out`.
//
// Of equal scores the first class wins; NaN never wins, a pixel of nothing but NaN is of
// class 0 (or `below`). Planes of scores (adjacent columns) are read as vectors.
//
// Throws std::invalid_argument without classes or with more than 65535.
void argmax(Device device, const core::ScoresView& scores, std::uint16_t* out,
            const ArgmaxOptions& options);

}  // namespace edgeseg
