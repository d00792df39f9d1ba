#pragma once

#include <cstdint>
#include <vector>

#include "core/masks.h"

namespace edgeseg {

// In pixels; (0, 0) is the left top corner of the left top pixel.
struct Point {
    float x, y;
};

using Ring = std::vector<Point>;

struct TracedRing {
    Ring points;  // the last is joined to the first
    bool is_hole;
};

// Give the outlines of a mask (not 0: mask) along the edges of its pixels.
//
// A part is what hangs together by the sides of pixels. Each gives its outer ring, then its holes.
// Rings go with the mask on their right hand: outer ones clockwise as seen on the screen, holes
// the other way. No ring comes through a point twice: where pixels touch by a corner only, rings
// touch there too. Parts come in the order of their first pixels, row by row.
//
// With `tolerance_px` 0 the corners are exact and fill_polygons gives the mask back. Above 0 rings
// are thinned out (Douglas and Peucker, 1973): no corner that is left out lies further than that
// from its ring; a ring that would lose its area stays as it was. Thinned rings may cross.
//
// Throws std::invalid_argument when a side is over 65535 or the tolerance is not 0 or more.
std::vector<TracedRing> trace_polygons(const core::GridView& mask, float tolerance_px);

// Write the pixels whose centres lie inside of the rings to `out`, 0 and 1, row by row.
//
// Inside is what an odd number of rings encloses. A centre on an edge is inside when the area
// lies to its right or, on a level edge, below it. Rings may reach out of the frame, cross and
// be open; one of fewer than three points encloses nothing.
//
// Throws std::invalid_argument for a point that is not finite or a side over 65535.
void fill_polygons(const std::vector<Ring>& rings, int width, int height, std::uint8_t* out);

}  // namespace edgeseg
