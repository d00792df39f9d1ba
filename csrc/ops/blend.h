#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/masks.h"
#include "ops/device.h"
#include "ops/paste.h"

namespace edgeseg {

// uint8[height, width, 3] in BGR, its pixels side by side, borrowed. The stride is in bytes.
struct CanvasView {
    std::uint8_t* data;
    int width, height;
    std::ptrdiff_t row_stride;
};

struct MaskLayer {
    core::GridView grid;
    MaskPlace place;
    std::uint8_t blue, green, red;
};

// Lay masks over a picture in place, the first in front.
//
// A pixel belongs to the first mask that covers it: the others do not shine through. At an edge a
// mask covers part of a pixel (core::coverage), one pixel wide however coarse the grid, and what
// lies behind gets the rest. A pixel that the masks cover to the part p becomes
// (1 - alpha p) pixel + alpha p colour, in whole steps: every device gives the same bytes.
// Where the masks are is as in paste (ops/paste.h); a mask without a cell is not there.
//
// Works row by row. Memory: 12 bytes a column of the picture and, for each mask, 16 bytes a
// column of its grid and under 400 more: 0.4 MB for 200 masks of 64 columns in a 4K frame.
//
// Throws std::invalid_argument when the picture has a side over 65535, a grid one over 65535, or
// alpha is not in 0..1.
void blend(Device device, const CanvasView& image, const std::vector<MaskLayer>& layers,
           float alpha);

}  // namespace edgeseg
