#pragma once

#include "ops/prototypes.h"

namespace edgeseg::cpu {

void prototype_mask(const core::HeadView& prototypes, const PrototypeMask& mask);

}  // namespace edgeseg::cpu
