#pragma once

#include "cuda/blend.h"

namespace edgeseg::cuda {

// Throws std::invalid_argument as cuda::blend promises.
void check_blend(const BlendBatch& batch);

}  // namespace edgeseg::cuda
