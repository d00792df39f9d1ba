#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ops/blend.h"

namespace edgeseg {

// uint16[rows, columns], borrowed. Strides are in elements.
struct ClassesView {
    const std::uint16_t* data;
    int rows, columns;
    std::ptrdiff_t row_stride, column_stride;

    std::uint16_t at(int row, int column) const {
        return data[row * row_stride + column * column_stride];
    }
};

// In a class map: the pixel is of no class.
constexpr int kNoClass = 65535;

struct ClassTints {
    std::array<double, 4> region;  // x, y, width, height of the picture in the map, in its cells
    std::vector<std::array<std::uint8_t, 3>> colors;  // of classes 0, 1, …, then again from 0 on
    int hidden;                                       // a class that is not drawn; -1: none
    float alpha;
};

// Lay the colours of a class map over a picture in place.
//
// A pixel has the class of the cell in which its centre lies, beyond the map that of the nearest
// cell. It becomes (1 - alpha) pixel + alpha colour (blue, green, red); the hidden class, kNoClass
// and all when there are no colours leave it alone.
// Works row by row, in 12 bytes a column of the picture.
//
// Throws std::invalid_argument when the picture or the map has a side over 65535, the map no
// cell, the region an edge that is not finite or a side below 0, or alpha is not in 0..1.
void blend_classes(Device device, const CanvasView& image, const ClassesView& classes,
                   const ClassTints& tints);

}  // namespace edgeseg
