#pragma once

#include "core/hd.h"
#include "core/views.h"

namespace edgeseg::core {

// What falls on what when a picture is resized.
enum class Sampling {
    kEnds,     // the first pixel on the first and the last on the last, as Darknet does it
    kCentres,  // each pixel's centre on its place in the picture, as cv2.INTER_LINEAR does it
};

// Where the picture lies in the network's input.
struct Region {
    int x, y, width, height;
    Sampling sampling = Sampling::kEnds;
};

// What the weights of an axis may sum up to so that 255 times it is still exact in float32.
constexpr int kMaxRegionSide = 16383;
// Keeps the whole numbers below in 32 bits.
constexpr int kMaxSourceSide = 65535;

// The two neighbours between which an output position falls, as whole numbers:
// the value is (first * (total - weight) + next * weight) / total.
struct Tap {
    int index;
    int next;
    int weight;
};

// Sum of the weights of an axis that is `out_size` long.
EDGESEG_HD inline int tap_total(int out_size, Sampling sampling = Sampling::kEnds) {
    if (sampling == Sampling::kCentres) return 2 * out_size;
    return out_size > 1 ? out_size - 1 : 1;
}

// Where output pixel `out` falls in the source, in units of 1 / tap_total. kEnds is
// resize_image of Darknet's image.c, out (source_size - 1) / (out_size - 1), where a single
// pixel is the last one. kCentres is (out + 1/2) source_size / out_size - 1/2, not before the
// first pixel.
EDGESEG_HD inline int tap_position(int out, int out_size, int source_size, Sampling sampling) {
    if (sampling == Sampling::kCentres) {
        const int position = (2 * out + 1) * source_size - out_size;
        return position > 0 ? position : 0;
    }
    return (out_size > 1 ? out : 1) * (source_size - 1);
}

EDGESEG_HD inline Tap tap(int out, int out_size, int source_size,
                          Sampling sampling = Sampling::kEnds) {
    const int total = tap_total(out_size, sampling);
    const int position = tap_position(out, out_size, source_size, sampling);
    const int index = position / total;
    // Always a pair of neighbours: a kernel may then read both in one go.
    if (index >= source_size - 1) {
        return source_size > 1 ? Tap{source_size - 2, source_size - 1, total} : Tap{0, 0, 0};
    }
    return {index, index + 1, position - index * total};
}

// Between two neighbours of a row: exact, a whole number below 2^23.
EDGESEG_HD inline int blend_columns(int first, int next, int weight, int total) {
    return first * (total - weight) + next * weight;
}

// Between two rows; `unit` is 1 / (255 * total of the columns). Never leaves 0..1.
EDGESEG_HD inline float blend_rows(float upper, float lower, float fraction, float unit) {
    return (upper + (lower - upper) * fraction) * unit;
}

EDGESEG_HD inline float row_fraction(const Tap& row, int out_height,
                                     Sampling sampling = Sampling::kEnds) {
    return static_cast<float>(row.weight) / static_cast<float>(tap_total(out_height, sampling));
}

EDGESEG_HD inline float column_unit(int out_width, Sampling sampling = Sampling::kEnds) {
    return 1.0f / (255.0f * static_cast<float>(tap_total(out_width, sampling)));
}

// Value of channel `plane` (0 red, 1 green, 2 blue) at column x, row y of the region:
// the definition that every kernel equals bit for bit.
EDGESEG_HD inline float letterbox_pixel(const ImageView& image, const Region& region, int plane,
                                        int x, int y) {
    const Tap column = tap(x, region.width, image.width, region.sampling);
    const Tap row = tap(y, region.height, image.height, region.sampling);
    const int total = tap_total(region.width, region.sampling);
    const std::ptrdiff_t channel = (2 - plane) * image.channel_stride;
    const std::ptrdiff_t first = column.index * image.pixel_stride + channel;
    const std::ptrdiff_t next = column.next * image.pixel_stride + channel;
    const std::uint8_t* above = image.row(row.index);
    const std::uint8_t* below = image.row(row.next);
    const int upper = blend_columns(above[first], above[next], column.weight, total);
    const int lower = blend_columns(below[first], below[next], column.weight, total);
    return blend_rows(static_cast<float>(upper), static_cast<float>(lower),
                      row_fraction(row, region.height, region.sampling),
                      column_unit(region.width, region.sampling));
}

}  // namespace edgeseg::core
