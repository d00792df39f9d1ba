#pragma once

#include "core/geometry.h"
#include "core/hd.h"
#include "core/letterbox_rows.h"

namespace edgeseg::core {

// What one output position of an axis averages: a length of `size` source pixels, of which
// `inside` lie in the picture. Pixel `first` counts `head`, `last` counts `tail` (0 when they are
// one), those between count 1.
struct Footprint {
    int first, last;
    float head, tail;
    float inside, size;

    EDGESEG_HD bool is_outside() const { return inside <= 0.0f; }
};

// Of output position `out` of `out_size` over the length from `low` to `high`. In double, so that
// a place far from the origin is as exact as one at it.
EDGESEG_HD inline Footprint footprint(float low, float high, int out, int out_size,
                                      int source_size) {
    const double step = (static_cast<double>(high) - low) / out_size;
    const double centre = low + (out + 0.5) * step;
    const double half = step > 1.0 ? 0.5 * step : 0.5;
    const double begin = centre - half, end = centre + half;
    const double held_begin = begin > 0.0 ? begin : 0.0;
    const double held_end = end < source_size ? end : source_size;
    // Beyond that the picture is nothing beside the padding, and an area would overflow.
    const float size = lesser(static_cast<float>(end - begin), 1e15f);
    if (!(held_begin < held_end)) return {0, 0, 0.0f, 0.0f, 0.0f, size};
    const int first = static_cast<int>(held_begin);
    const int whole = static_cast<int>(held_end);
    const int last = whole < held_end ? whole : whole - 1;
    const float inside = static_cast<float>(held_end - held_begin);
    if (last == first) return {first, last, inside, 0.0f, inside, size};
    return {first,
            last,
            static_cast<float>(first + 1 - held_begin),
            static_cast<float>(held_end - last),
            inside,
            size};
}

// Whether a box can be cropped at all; of any other the crop is padding.
EDGESEG_HD inline bool is_crop(const Box& box) {
    return is_finite(box) && box.left <= box.right && box.top <= box.bottom;
}

// The two ends of a footprint, then what lies between: the order that every device keeps.
EDGESEG_HD inline float footprint_sum(float first, float last, float between,
                                      const Footprint& along) {
    return (along.head * first + along.tail * last) + between;
}

// From the sum over both axes to the mean, 0 to 1: (sum + padding) / divisor.
struct CropScale {
    float padding;  // what lies outside of the picture adds to the sum
    float divisor;
};

EDGESEG_HD inline CropScale crop_scale(const Footprint& columns, const Footprint& rows, float pad) {
    const float area = columns.size * rows.size;
    return {pad * (area - columns.inside * rows.inside), 255.0f * area};
}

// Sums of one source column over the rows of a footprint. `Pixels` gives the Color at (x, y).
struct ColorSums {
    float red, green, blue;
};

template <typename Pixels>
EDGESEG_HD inline ColorSums column_sums(const Pixels& pixels, int x, const Footprint& rows) {
    const Color first = pixels.at(x, rows.first), last = pixels.at(x, rows.last);
    Color between = {0, 0, 0};
    for (int y = rows.first + 1; y < rows.last; ++y) {
        const Color color = pixels.at(x, y);
        between.red += color.red;
        between.green += color.green;
        between.blue += color.blue;
    }
    const auto sum = [&](int from, int to, int middle) {
        return footprint_sum(static_cast<float>(from), static_cast<float>(to),
                             static_cast<float>(middle), rows);
    };
    return {sum(first.red, last.red, between.red), sum(first.green, last.green, between.green),
            sum(first.blue, last.blue, between.blue)};
}

// Red, green and blue of one output pixel, 0 to 1: the definition that every device equals bit
// for bit.
template <typename Pixels>
EDGESEG_HD inline ColorSums crop_pixel(const Pixels& pixels, const Footprint& columns,
                                       const Footprint& rows, float pad) {
    if (columns.is_outside() || rows.is_outside()) {
        return {pad / 255.0f, pad / 255.0f, pad / 255.0f};
    }
    const ColorSums first = column_sums(pixels, columns.first, rows);
    const ColorSums last = column_sums(pixels, columns.last, rows);
    ColorSums between = {0.0f, 0.0f, 0.0f};
    for (int x = columns.first + 1; x < columns.last; ++x) {
        const ColorSums column = column_sums(pixels, x, rows);
        between.red += column.red;
        between.green += column.green;
        between.blue += column.blue;
    }
    const CropScale scale = crop_scale(columns, rows, pad);
    const auto value = [&](float from, float to, float middle) {
        const float sum = footprint_sum(from, to, middle, columns);
        return lesser((sum + scale.padding) / scale.divisor, 1.0f);
    };
    return {value(first.red, last.red, between.red), value(first.green, last.green, between.green),
            value(first.blue, last.blue, between.blue)};
}

}  // namespace edgeseg::core
