#pragma once

#include "ops/argmax.h"

namespace edgeseg::cpu {

void argmax(const core::ScoresView& scores, std::uint16_t* out, const ArgmaxOptions& options);

}  // namespace edgeseg::cpu
