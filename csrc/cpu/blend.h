#pragma once

#include "ops/blend.h"

namespace edgeseg::cpu {

void blend(const CanvasView& image, const std::vector<MaskLayer>& layers, float alpha);

}  // namespace edgeseg::cpu
