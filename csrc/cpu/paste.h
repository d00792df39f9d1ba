#pragma once

#include "ops/paste.h"

namespace edgeseg::cpu {

void paste(const core::GridView& grid, const MaskPlace& place, const PixelBox& box,
           std::uint8_t* out);

}  // namespace edgeseg::cpu
