#pragma once

#include <cstddef>

#include "core/views.h"
#include "ops/device.h"

namespace edgeseg {

// `count` boxes (left, top, right, bottom) in source pixels, borrowed. Strides are in elements.
struct BoxesView {
    const float* data;
    std::ptrdiff_t count, box_stride, edge_stride;

    float edge(std::ptrdiff_t i, int side) const {
        return data[i * box_stride + side * edge_stride];
    }
};

// float32[count, 3, height, width], borrowed; columns are adjacent. Strides are in elements.
struct CropsView {
    float* data;
    std::ptrdiff_t count;
    int width, height;
    std::ptrdiff_t crop_stride, plane_stride, row_stride;

    core::PlanesView crop(std::ptrdiff_t i) const {
        return {data + i * crop_stride, width, height, plane_stride, row_stride};
    }
};

// Bring the part of `image` under each box to one size, its aspect not kept.
//
// The box is divided into width x height equal cells. An output pixel is the mean of the picture
// over a rectangle around its cell's centre, as large as the cell but at least one pixel wide and
// one pixel high; parts of pixels count by their area. So shrinking averages the whole footprint,
// growing is bilinear, and nothing jumps between them; each axis goes by itself. Outside of the
// picture everything is `pad`. Channels come out as red, green, blue, times 1/255.
//
// A box of no width or height gives the one pixel's footprint at its place. A box with an edge
// that is not finite, or with right before left or bottom before top, gives nothing but padding.
// Every device gives the same bits (core::crop_pixel). Allocates a few rows.
//
// Throws std::invalid_argument when the picture is empty or has a side over 65535 pixels, a side
// of the crops is not 1 to 16384, there are not as many boxes as crops, or pad is not in 0..255.
void crop_resize(Device device, const core::ImageView& image, const BoxesView& boxes,
                 const CropsView& out, float pad);

}  // namespace edgeseg
