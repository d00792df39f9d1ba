#pragma once

#include <cuda_runtime.h>

#include "cuda/letterbox.h"

namespace edgeseg::cuda {

// One picture in device memory and the boxes to crop from it.
struct CropBatch {
    Picture picture;  // its region is not used
    PixelFormat format;
    const float* boxes;  // [count, 4] in device memory: left, top, right, bottom in its pixels
    int count;
    void* out;          // [count, 3, height, width], packed
    FloatType type;     // kFloat16: the float32 value, rounded to nearest
    int width, height;  // of a crop
    float pad;          // 0..255
};

constexpr int kMaxCrops = 65535;

// As edgeseg::crop_resize (ops/crop_resize.h), bit for bit, for boxes on the device: where a graph
// has room for more boxes than there are, boxes of NaN give padding.
//
// NV12 is as if core::color_of_yuv had made a BGR picture of it first. Enqueues one kernel, needs
// no workspace, can be captured.
//
// Throws std::invalid_argument for what ops/crop_resize.h refuses, for more than kMaxCrops boxes,
// and for memory of a picture as in cuda/letterbox.h.
void crop_resize(const CropBatch& batch, cudaStream_t stream);

}  // namespace edgeseg::cuda
