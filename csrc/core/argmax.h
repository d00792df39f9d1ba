#pragma once

#include <cstddef>

#include "core/hd.h"

namespace edgeseg::core {

// float32[classes, rows, columns], borrowed. Strides are in elements.
struct ScoresView {
    const float* data;
    int classes, rows, columns;
    std::ptrdiff_t class_stride, row_stride, column_stride;
};

// Whether a score takes the lead from the best one so far: a greater one does, so the first
// of equals stays; a number does from NaN, and NaN from none.
EDGESEG_HD inline bool leads(float score, float best) { return !(score <= best) && score == score; }

}  // namespace edgeseg::core
