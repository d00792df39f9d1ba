#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/letterbox.h"

namespace edgeseg::cuda {

enum class PixelFormat { kBgr, kRgb, kBgra, kRgba, kNv12 };
enum class FloatType { kFloat32, kFloat16 };

// One picture in device memory, and where it goes. Pitches are bytes from row to row.
struct Picture {
    const std::uint8_t* pixels;  // kNv12: luma
    const std::uint8_t* chroma;  // kNv12 only: U and V in turn, a row for two rows of luma
    int width, height;
    std::int64_t pitch, chroma_pitch;
    core::Region region;
};

constexpr int kMaxBatch = 32;

// Pictures of one format, each to its place in a batch.
struct LetterboxBatch {
    std::vector<Picture> pictures;
    PixelFormat format;
    void* out;          // [pictures, 3, height, width], packed
    FloatType type;     // kFloat16: the float32 value, rounded to nearest
    int width, height;  // of the network's input; width a multiple of 8
    float pad;          // 0..255
};

// As edgeseg::letterbox (ops/letterbox.h), bit for bit, for a batch on the device.
//
// NV12 is as if core::color_of_yuv had made a BGR picture of it first. Enqueues one kernel,
// needs no workspace, can be captured.
//
// Throws std::invalid_argument for what ops/letterbox.h refuses, for more than kMaxBatch
// pictures, an odd side or a missing plane of NV12, a pitch shorter than a row, or memory that
// is not aligned to 16 bytes (out).
void letterbox(const LetterboxBatch& batch, cudaStream_t stream);

}  // namespace edgeseg::cuda
