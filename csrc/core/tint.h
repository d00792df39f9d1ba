#pragma once

#include <cstdint>

#include "core/hd.h"
#include "core/masks.h"

namespace edgeseg::core {

// Coverage is in units of 1/256 of a pixel.
constexpr int kWholePixel = 256;

EDGESEG_HD inline float magnitude(float x) { return x < 0.0f ? -x : x; }

// What certainty the edge of a mask has: it is half covered there.
constexpr float kEdge = 128.0f;

// How much of a pixel a mask covers, 0 to kWholePixel. The certainty's change from one pixel to
// the next tells how far away the edge is, so that it is one pixel soft however coarse the grid
// (as glyphs are drawn from distance fields: Green, "Improved Alpha-Tested Magnification", 2007).
// Where nothing changes there is no edge.
EDGESEG_HD inline int coverage(const GridView& grid, const GridPlace& place, const CellTap& row,
                               const CellTap& column) {
    const float a = grid.at(row.index, column.index), b = grid.at(row.index, column.next);
    const float c = grid.at(row.next, column.index), d = grid.at(row.next, column.next);
    const float upper = between(a, b, column.fraction);
    const float lower = between(c, d, column.fraction);
    const float across = magnitude(between(b - a, d - c, row.fraction)) * place.x.cells_per_px;
    const float down = magnitude(lower - upper) * place.y.cells_per_px;
    const float above = between(upper, lower, row.fraction) - kEdge;
    const float steepest = greater(across, down);
    if (!(steepest > 0.0f)) return above >= 0.0f ? kWholePixel : 0;
    const float covered = 0.5f + above / greater(steepest, 1.0f);
    const float held = lesser(greater(covered, 0.0f), 1.0f);
    return static_cast<int>(held * 256.0f + 0.5f);
}

// Part of a pixel that a mask gets when those in front leave `left` of it.
EDGESEG_HD inline int taken(int left, int covered) { return (left * covered + 128) >> 8; }

// A channel of a pixel of which the masks leave `left`, `colors` being the sum of their colours
// times what they took. `alpha` is in units of 1/65536 and below 65536; each value fits 16 bits.
EDGESEG_HD inline std::uint8_t tinted(int pixel, int left, int colors, int alpha) {
    const int twice = ((2 * (kWholePixel - left)) * alpha) >> 16;
    const int share = (twice + 1) >> 1;
    const int color = static_cast<int>(
        (static_cast<std::uint32_t>(colors) * static_cast<std::uint32_t>(alpha)) >> 16);
    return static_cast<std::uint8_t>((pixel * (kWholePixel - share) + color + 128) >> 8);
}

EDGESEG_HD inline int alpha_steps(float alpha) {
    const int steps = static_cast<int>(alpha * 65536.0f + 0.5f);
    return steps < 65535 ? steps : 65535;
}

}  // namespace edgeseg::core
