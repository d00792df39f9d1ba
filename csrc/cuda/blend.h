#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/geometry.h"

namespace edgeseg::cuda {

// One mask, as it lies in device memory.
struct MaskRecord {
    core::Box region, clip;       // as in ops/paste.h
    std::uint32_t offset;         // of its grid in the grids, in bytes
    std::uint16_t rows, columns;  // of the grid, packed; 0: no mask
    std::uint8_t color[4];        // blue, green, red, unused
    std::uint32_t unused;
};
static_assert(sizeof(MaskRecord) == 48, "the layout that the bindings name");

// A picture and the masks to lay over it, all in device memory.
struct BlendBatch {
    std::uint8_t* pixels;  // BGR, three bytes a pixel
    int width, height;
    std::int64_t pitch;  // bytes from row to row
    const MaskRecord* records;
    int count;
    const std::uint8_t* grids;
    std::int64_t grids_bytes;
    float alpha;
};

// As edgeseg::blend (ops/blend.h), byte for byte. A mask whose grid does not lie inside of the
// grids is not there; so a graph may hold room for more masks than there are.
//
// Enqueues one kernel, needs no workspace, can be captured.
//
// Throws std::invalid_argument for a side that is not 1 to 65535, a pitch shorter than a row, a
// count below 0, memory that is missing or not aligned, and alpha not in 0..1.
void blend(const BlendBatch& batch, cudaStream_t stream);

}  // namespace edgeseg::cuda
