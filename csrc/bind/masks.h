#pragma once

#include <pybind11/numpy.h>

#include <string>

#include "core/masks.h"

namespace edgeseg::bind {

// A grid of certainties, uint8[R, C] with any strides; `name` is the argument's.
core::GridView grid_view(const pybind11::array& grid, const std::string& name);

// The argument `mask`, uint8 or bool[H, W] with any strides.
core::GridView mask_view(const pybind11::array& mask);

// A new bool[height, width]; throws ValueError when a side is negative or over 65535.
pybind11::array_t<bool> frame_of_bools(int width, int height);

}  // namespace edgeseg::bind
