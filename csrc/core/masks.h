#pragma once

#include <cstddef>
#include <cstdint>

#include "core/geometry.h"
#include "core/hd.h"
#include "core/math.h"

namespace edgeseg::core {

// uint8[rows, columns] of certainties, borrowed. Strides are in bytes and may be negative.
struct GridView {
    const std::uint8_t* data;
    int rows, columns;
    std::ptrdiff_t row_stride, column_stride;

    EDGESEG_HD float at(int row, int column) const {
        return static_cast<float>(data[row * row_stride + column * column_stride]);
    }
};

// How the cells of a grid lie along one axis of the frame.
struct GridAxis {
    float low;           // where the region begins
    float cells_per_px;  // of the grid
    int cells;
    float begin, end;  // pixels whose centres lie from `begin` to before `end` may be mask
};

// Nothing can be mask when the region has an edge that is not finite, or the region or the clip
// no length; a clip may be infinite.
EDGESEG_HD inline GridAxis grid_axis(float low, float high, float clip_low, float clip_high,
                                     int cells) {
    const bool is_sound =
        is_finite(low) && is_finite(high) && low < high && clip_low < clip_high && cells > 0;
    if (!is_sound) return {0.0f, 0.0f, cells, 0.0f, 0.0f};
    return {low, static_cast<float>(cells) / (high - low), cells, greater(low, clip_low),
            lesser(high, clip_high)};
}

// Both axes of a mask. A frame's pixels have centres at whole numbers and a half.
struct GridPlace {
    GridAxis x, y;
};

EDGESEG_HD inline GridPlace grid_place(const Box& region, const Box& clip, int rows, int columns) {
    return {grid_axis(region.left, region.right, clip.left, clip.right, columns),
            grid_axis(region.top, region.bottom, clip.top, clip.bottom, rows)};
}

EDGESEG_HD inline bool holds(const GridAxis& axis, int px) {
    const float centre = static_cast<float>(px) + 0.5f;
    return centre >= axis.begin && centre < axis.end;
}

// The two cells between whose centres a pixel's centre lies; beyond the outermost centres the
// border cell goes on.
struct CellTap {
    int index, next;
    float fraction;
};

EDGESEG_HD inline CellTap cell_tap(const GridAxis& axis, int px) {
    const float centre = static_cast<float>(px) + 0.5f;
    const float place = (centre - axis.low) * axis.cells_per_px - 0.5f;
    if (!(place >= 0.0f)) return {0, 0, 0.0f};
    const int index = static_cast<int>(place);
    if (index >= axis.cells - 1) return {axis.cells - 1, axis.cells - 1, 0.0f};
    return {index, index + 1, place - static_cast<float>(index)};
}

EDGESEG_HD inline float between(float first, float next, float fraction) {
    return first + (next - first) * fraction;
}

// Certainty of a pixel, 0 to 255: along the grid's rows first, then from row to row.
EDGESEG_HD inline float certainty(const GridView& grid, const CellTap& row, const CellTap& column) {
    const float upper =
        between(grid.at(row.index, column.index), grid.at(row.index, column.next), column.fraction);
    const float lower =
        between(grid.at(row.next, column.index), grid.at(row.next, column.next), column.fraction);
    return between(upper, lower, row.fraction);
}

// Whole numbers, so that 128 or more in bytes is 128 or more before.
EDGESEG_HD inline std::uint8_t certainty_byte(float certainty) {
    return static_cast<std::uint8_t>(static_cast<int>(certainty));
}

}  // namespace edgeseg::core
