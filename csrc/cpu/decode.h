#pragma once

#include "ops/decode.h"

namespace edgeseg::cpu {

Candidates decode(const std::vector<core::HeadView>& heads, const std::vector<YoloHead>& specs,
                  const DecodeOptions& options);

}  // namespace edgeseg::cpu
