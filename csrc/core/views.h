#pragma once

#include <cstddef>
#include <cstdint>

#include "core/hd.h"

namespace edgeseg::core {

// uint8[height, width, 3] in BGR, borrowed. Strides are in bytes and may be negative.
struct ImageView {
    const std::uint8_t* data;
    int width, height;
    std::ptrdiff_t row_stride, pixel_stride, channel_stride;

    EDGESEG_HD const std::uint8_t* row(int y) const { return data + y * row_stride; }
    EDGESEG_HD bool is_packed() const { return pixel_stride == 3 && channel_stride == 1; }
};

// float32[3, height, width], borrowed; columns are adjacent. Strides are in elements.
struct PlanesView {
    float* data;
    int width, height;
    std::ptrdiff_t plane_stride, row_stride;

    EDGESEG_HD float* row(int plane, int y) const {
        return data + plane * plane_stride + y * row_stride;
    }
};

// float32[channels, rows, columns], borrowed; columns are adjacent. Strides are in elements.
struct HeadView {
    const float* data;
    int channels, rows, columns;
    std::ptrdiff_t plane_stride, row_stride;

    EDGESEG_HD const float* plane(int channel) const { return data + channel * plane_stride; }
};

// `count` values at a fixed distance (in elements), borrowed.
template <typename T>
struct Strided {
    const T* data;
    std::ptrdiff_t stride;

    EDGESEG_HD const T& operator[](std::ptrdiff_t i) const { return data[i * stride]; }
};

}  // namespace edgeseg::core
