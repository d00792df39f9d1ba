#pragma once

#include <cstddef>
#include <cstdint>

#include "core/hd.h"
#include "core/letterbox.h"

namespace edgeseg::core {

// One pixel, 0 to 255 a channel.
struct Color {
    int red, green, blue;
};

// The two source rows that an output row lies between, three or four bytes a pixel.
template <int kPixelBytes>
struct PackedRows {
    const std::uint8_t *above, *below;  // pixel `first` of each
    int first;
    int red, blue;  // byte of a pixel

    EDGESEG_HD Color color(const std::uint8_t* row, int x) const {
        const std::uint8_t* pixel = row + (x - first) * kPixelBytes;
        return {pixel[red], pixel[1], pixel[blue]};
    }
    EDGESEG_HD Color upper(int x) const { return color(above, x); }
    EDGESEG_HD Color lower(int x) const { return color(below, x); }
};

EDGESEG_HD inline int clip_to_byte(int value) { return value < 0 ? 0 : value > 255 ? 255 : value; }

// BT.601, luma from 16 to 235, in units of 2^-20: the arithmetic of OpenCV's COLOR_YUV2BGR_NV12.
EDGESEG_HD inline Color color_of_yuv(int y, int u, int v) {
    constexpr int kHalf = 1 << 19;
    const int luma = (y > 16 ? y - 16 : 0) * 1220542 + kHalf;
    return {clip_to_byte((luma + 1673527 * (v - 128)) >> 20),
            clip_to_byte((luma - 852492 * (v - 128) - 409993 * (u - 128)) >> 20),
            clip_to_byte((luma + 2116026 * (u - 128)) >> 20)};
}

// As PackedRows, of a plane of luma and one of interleaved chroma for each two by two pixels.
struct Nv12Rows {
    const std::uint8_t *above, *below;
    const std::uint8_t *chroma_above, *chroma_below;

    EDGESEG_HD static Color color(const std::uint8_t* luma, const std::uint8_t* chroma, int x) {
        const std::uint8_t* pair = chroma + (x & ~1);
        return color_of_yuv(luma[x], pair[0], pair[1]);
    }
    EDGESEG_HD Color upper(int x) const { return color(above, chroma_above, x); }
    EDGESEG_HD Color lower(int x) const { return color(below, chroma_below, x); }
};

// What the pixels of one output row share.
struct LetterboxRow {
    int region_x, region_width, source_width;
    float fraction, unit;
    float padding;  // pad / 255
};

// `kCount` adjacent output pixels from column x on, plane by plane: letterbox_pixel inside of
// the region, padding outside.
template <int kCount, typename Rows>
EDGESEG_HD inline void letterbox_run(const Rows& rows, const LetterboxRow& row, int x,
                                     float (&out)[3][kCount]) {
    const int total = tap_total(row.region_width);
    for (int i = 0; i < kCount; ++i) {
        const int column = x + i - row.region_x;
        if (column < 0 || column >= row.region_width) {
            out[0][i] = out[1][i] = out[2][i] = row.padding;
            continue;
        }
        const Tap at = tap(column, row.region_width, row.source_width);
        const Color a = rows.upper(at.index), b = rows.upper(at.next);
        const Color c = rows.lower(at.index), d = rows.lower(at.next);
        const auto blend = [&](int first, int next, int first_below, int next_below) {
            const int upper = blend_columns(first, next, at.weight, total);
            const int lower = blend_columns(first_below, next_below, at.weight, total);
            return blend_rows(static_cast<float>(upper), static_cast<float>(lower), row.fraction,
                              row.unit);
        };
        out[0][i] = blend(a.red, b.red, c.red, d.red);
        out[1][i] = blend(a.green, b.green, c.green, d.green);
        out[2][i] = blend(a.blue, b.blue, c.blue, d.blue);
    }
}

// Source pixels, from the first to past the last, that the output columns from `begin` to
// before `end` read.
struct PixelSpan {
    int first, past;
};

EDGESEG_HD inline PixelSpan source_span(const Region& region, int source_width, int begin,
                                        int end) {
    const int low = begin > region.x ? begin - region.x : 0;
    const int high = (end < region.x + region.width ? end : region.x + region.width) - region.x;
    if (low >= high) return {0, 0};
    return {tap(low, region.width, source_width).index,
            tap(high - 1, region.width, source_width).next + 1};
}

// What no source_span of `columns` adjacent output columns is longer than.
EDGESEG_HD inline int longest_span(const Region& region, int source_width, int columns) {
    const std::int64_t steps = columns < region.width ? columns : region.width;
    const std::int64_t pixels = steps * (source_width - 1) / tap_total(region.width) + 3;
    return static_cast<int>(pixels < source_width ? pixels : source_width);
}

}  // namespace edgeseg::core
