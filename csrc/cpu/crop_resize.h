#pragma once

#include "ops/crop_resize.h"

namespace edgeseg::cpu {

void crop_resize(const core::ImageView& image, const BoxesView& boxes, const CropsView& out,
                 float pad);

}  // namespace edgeseg::cpu
