#pragma once

#include "ops/blend_classes.h"

namespace edgeseg::cpu {

void blend_classes(const CanvasView& image, const ClassesView& classes, const ClassTints& tints);

}  // namespace edgeseg::cpu
