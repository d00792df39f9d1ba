#pragma once

#include <cmath>
#include <cstdint>

#include "core/hd.h"

namespace edgeseg::core {

// A logit's sigmoid as a certainty: 256 times it, to the nearest whole number, 255 at most. So
// 1/2 is exactly 128, from where on a pixel is of the object. NaN is surely not.
EDGESEG_HD inline std::uint8_t certainty(float logit) {
    const float level = 256.0f / (1.0f + std::exp(-logit)) + 0.5f;
    if (!(level >= 0.0f)) return 0;
    return level < 255.0f ? static_cast<std::uint8_t>(level) : std::uint8_t{255};
}

}  // namespace edgeseg::core
