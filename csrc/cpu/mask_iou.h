#pragma once

#include "ops/mask_iou.h"

namespace edgeseg::cpu {

std::vector<float> mask_iou(const std::vector<MaskView>& a, const std::vector<MaskView>& b);

}  // namespace edgeseg::cpu
