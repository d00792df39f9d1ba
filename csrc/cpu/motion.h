#pragma once

#include "ops/motion.h"

namespace edgeseg::cpu {

void shrink_grey(const core::ImageView& image, int factor, GreyPicture& out);
Shift find_shift(const GreyPicture& before, const GreyPicture& after, const core::Box& box,
                 const Shift& guess, int radius);

}  // namespace edgeseg::cpu
