#pragma once

#include "ops/nms.h"

namespace edgeseg::cpu {

std::vector<std::int64_t> nms(const ScoredBoxes& boxes, const NmsOptions& options);

SoftNmsResult soft_nms(const ScoredBoxes& boxes, const SoftNmsOptions& options);

}  // namespace edgeseg::cpu
