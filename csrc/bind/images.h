#pragma once

#include <pybind11/numpy.h>

#include "core/views.h"

namespace edgeseg::bind {

// The length of an axis; throws ValueError when it is over 65535 pixels.
int side(const pybind11::array& array, const char* name, int axis);

// The argument `image`, uint8[H, W, 3] with any strides.
core::ImageView image_view(const pybind11::array& image);

}  // namespace edgeseg::bind
