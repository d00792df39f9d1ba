#pragma once

#include "cuda/crop_resize.h"

namespace edgeseg::cuda {

// Throws std::invalid_argument as cuda::crop_resize promises.
void check_crops(const CropBatch& batch);

}  // namespace edgeseg::cuda
