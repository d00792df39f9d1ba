#pragma once

#include <cstdint>
#include <vector>

#include "core/geometry.h"

namespace edgeseg {

// A compact mask, borrowed: a grid of certainties stretched over a region of the frame, and
// the clip beyond which nothing is of the object (edgeseg.types.Masks). No rows: no mask.
struct MaskView {
    const std::uint8_t* grid;
    int rows, columns;
    std::ptrdiff_t row_stride, column_stride;  // bytes
    core::Box region, clip;                    // px
};

// Intersection over union of every mask of `a` with every mask of `b`: a row for each of `a`.
//
// The two are compared at the middles of the cells of a 32 x 32 lattice over the box around
// what both can cover. A point is of a mask when the grid, sampled bilinearly and held at its
// rim, is 127.5 or more there, and the point lies inside region and clip. NaN where one has no
// mask or covers no point, 0 where the two lie apart.
std::vector<float> mask_iou(const std::vector<MaskView>& a, const std::vector<MaskView>& b);

}  // namespace edgeseg
