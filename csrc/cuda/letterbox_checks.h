#pragma once

#include "cuda/letterbox.h"

namespace edgeseg::cuda {

// Throws std::invalid_argument as cuda::letterbox promises.
void check_batch(const LetterboxBatch& batch);

}  // namespace edgeseg::cuda
