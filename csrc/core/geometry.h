#pragma once

#include "core/hd.h"
#include "core/math.h"

namespace edgeseg::core {

// Edges in any pixel space; right and bottom are outside.
struct Box {
    float left, top, right, bottom;
};

EDGESEG_HD inline float area(const Box& box) {
    return greater(box.right - box.left, 0.0f) * greater(box.bottom - box.top, 0.0f);
}

EDGESEG_HD inline bool is_finite(const Box& box) {
    return is_finite(box.left) && is_finite(box.top) && is_finite(box.right) &&
           is_finite(box.bottom);
}

}  // namespace edgeseg::core
