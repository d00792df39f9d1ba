#pragma once

#include <cstdint>

#include "core/geometry.h"
#include "core/masks.h"
#include "ops/device.h"

namespace edgeseg {

// Where a mask lies in the frame, in source pixels.
struct MaskPlace {
    core::Box region;  // of the whole grid
    core::Box clip;    // beyond which nothing is of the object
};

// Edges in whole pixels; right and bottom are outside.
struct PixelBox {
    int left, top, right, bottom;
};

// What the edges of a PixelBox may be: half a pixel more is still exact in float32.
constexpr int kMaxPlace = 1 << 22;

// Throws std::invalid_argument unless the edges are in order and at most kMaxPlace from 0, and
// the sides at most 65535.
void check_pixel_box(const PixelBox& box);

// Write the certainty of each pixel of `box`, row by row, to `out`: 0 to 255, 128 or more is mask.
//
// The grid is stretched over the region; a pixel has what the grid gives bilinearly at the
// pixel's centre, its border cells going on beyond their centres, cut to a whole number. Pixels
// whose centre is not inside of the region and of the clip (right and bottom edges are outside)
// have 0. So has everything when the grid has no cell, the region an edge that is not finite, or
// the region or the clip no area. `box` may reach out of the frame. Works in a few rows.
//
// Throws std::invalid_argument for a box that check_pixel_box refuses or a grid with a side over
// 65535.
void paste(Device device, const core::GridView& grid, const MaskPlace& place, const PixelBox& box,
           std::uint8_t* out);

}  // namespace edgeseg
