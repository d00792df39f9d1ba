#pragma once

#include <string>

#include "cuda/letterbox.h"

namespace edgeseg::cuda {

// Throws std::invalid_argument unless the memory of a picture can be what it says; its region is
// not looked at. `name` is the argument's.
void check_pixels(const Picture& picture, PixelFormat format, const std::string& name);

}  // namespace edgeseg::cuda
