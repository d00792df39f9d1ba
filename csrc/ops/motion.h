#pragma once

#include <cstdint>
#include <vector>

#include "core/geometry.h"
#include "core/views.h"

namespace edgeseg {

// A picture's brightness, shrunken: a pixel is the mean of the three channels over a square of
// `factor` x `factor` pixels. What is left over at the right and the bottom is left out.
struct GreyPicture {
    std::vector<std::uint8_t> pixels;
    int width = 0, height = 0, factor = 1;

    const std::uint8_t* row(int y) const {
        return pixels.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
    }
};

// Shrink a picture into `out`, whose memory is used again.
//
// Throws std::invalid_argument when factor is not from 1 to 256.
void shrink_grey(const core::ImageView& image, int factor, GreyPicture& out);

// How far a part of a picture moved.
struct Shift {
    bool found = false;       // false: nothing to hold on to, or nothing like it nearby
    double x = 0.0, y = 0.0;  // source px
};

// Find how far what lies inside `box` (source px) moved from one picture to the next.
//
// The middle of the box (0.7 of each side: its rim is mostly background) is compared with every
// place up to `radius` shrunken pixels away from `guess` (source px), by the sum of absolute
// differences; a parabola through the least and its neighbours gives the fraction. Not found:
// less than 4 x 4 shrunken pixels, a best place that is not clearly better than the mean of
// all, or no room in the picture.
//
// Throws std::invalid_argument when the pictures differ in size or factor, or radius is not
// from 1 to 64.
Shift find_shift(const GreyPicture& before, const GreyPicture& after, const core::Box& box,
                 const Shift& guess, int radius);

}  // namespace edgeseg
