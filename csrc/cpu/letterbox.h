#pragma once

#include "cpu/simd.h"
#include "ops/letterbox.h"

namespace edgeseg::cpu {

void letterbox(const core::ImageView& image, const core::PlanesView& out,
               const LetterboxOptions& options, SimdLevel level);

}  // namespace edgeseg::cpu
