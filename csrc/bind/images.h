#pragma once

#include <pybind11/numpy.h>

#include "core/views.h"

namespace edgeseg::bind {

// The length of a picture's axis. Throws ValueError when it is beyond what the ops can take.
int image_side(const pybind11::array& array, const char* name, int axis);

// uint8[H, W, 3], with any strides. Throws TypeError and ValueError.
core::ImageView image_view(const pybind11::array& image);

}  // namespace edgeseg::bind
