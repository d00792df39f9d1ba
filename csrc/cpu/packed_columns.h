#pragma once

#include <cstdint>
#include <vector>

#include "core/letterbox.h"
#include "core/views.h"

// What the kernels for packed pictures share: they blend a block of columns at once, with
// all three channels of both taps of a column in one load of 8 bytes.
namespace edgeseg::cpu {

// The taps of all columns of a region, in whole blocks.
struct PackedColumns {
    PackedColumns(const core::ImageView& image, const core::Region& region, int block);

    std::vector<std::uint32_t> first;   // byte offset of the first tap's blue
    std::vector<std::int16_t> weights;  // of the first tap and of the next, in turn
    int wide = 0;                       // so many columns may be read 8 bytes each
};

// The two source rows of an output row, and how to mix them.
struct RowPair {
    const std::uint8_t* upper;
    const std::uint8_t* lower;
    float fraction, unit;
};

RowPair row_pair(const core::ImageView& image, const core::Region& region, int y);

// Row y of the region in each plane.
struct PlaneRows {
    float* rows[3];
};

PlaneRows plane_rows(const core::PlanesView& out, const core::Region& region, int y);

}  // namespace edgeseg::cpu
