#pragma once

#include <cstdint>
#include <vector>

#include "core/steady.h"
#include "ops/device.h"

namespace edgeseg {

// Find how `former` must be laid on `present` for the least mean difference: shifted and
// stretched along each side, starting from the best of `starts`.
//
// Coordinate descent over 24 x 24 places with four steps, from 0.06 to 0.0075 of a side;
// shifts stay within 0.25 of the start, and scales within a factor of 1.4 of 1. A step must
// take a fiftieth of the difference away and all together a half, else the start is kept:
// a boundary that trembles is not followed.
//
// Throws std::invalid_argument when a grid is empty, there is no start, or a number of one
// is not finite.
core::GridFit grid_fit(Device device, const core::GridView& former, const core::GridView& present,
                       const std::vector<core::GridFit>& starts);

// Lay `former` on a grid of rows x columns by `fit`: bilinear, the edge repeats.
//
// Throws std::invalid_argument when a grid is empty or a number is not finite.
void grid_laid(Device device, const core::GridView& former, int rows, int columns,
               const core::GridFit& fit, std::uint8_t* out);

// What is remembered of an object's mask between frames; four grids of one size.
struct SteadyState {
    core::GridView smooth;  // the mask as it was given out
    core::GridView raw;     // the mask as it came
    core::GridView doubt;   // how much changes are doubted here, 0..255
    core::GridView trend;   // core::Trend of the last frame's change near a boundary
    float flicker;          // share of the changes that were taken back, lately
};

struct SteadyOut {
    std::uint8_t *smooth, *doubt, *trend;  // rows * columns of the present grid each
};

// Take the flicker from `present`, given what is remembered, laid on it by `fit`; gives the
// new `flicker`.
//
// The steady value is the median of the present value, the former one and the former
// steady one: a change that lasts one frame is dropped, one that lasts comes a frame late.
// Where and when changes are motion, the present value is taken instead, by weights:
// core::near_weight within two cells of the former boundary, core::far_weight beyond.
//
// Throws std::invalid_argument when a grid is empty, the four differ in size, or a number
// is not finite.
float grid_steady(Device device, const SteadyState& state, const core::GridView& present,
                  const core::GridFit& fit, const SteadyOut& out);

}  // namespace edgeseg
