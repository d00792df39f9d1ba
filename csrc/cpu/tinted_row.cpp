#include "cpu/tinted_row.h"

#include <algorithm>

#include "core/tint.h"

namespace edgeseg::cpu {
namespace {

// Values that a loop of fixed length takes at once, so that the compiler keeps the pattern of
// the three channels in registers.
constexpr int kBlock = 48;

void take_all(std::uint16_t* __restrict left, std::uint16_t* __restrict colors,
              const std::uint16_t* __restrict pattern, int count) {
    for (int i = 0; i < count; ++i) {
        colors[i] = static_cast<std::uint16_t>(colors[i] + left[i] * pattern[i]);
        left[i] = 0;
    }
}

}  // namespace

void TintedRow::clear(Span columns) {
    const auto begin = 3 * columns.begin, count = 3 * (columns.end - columns.begin);
    std::fill_n(left_.begin() + begin, count, std::uint16_t{core::kWholePixel});
    std::fill_n(colors_.begin() + begin, count, std::uint16_t{0});
}

void TintedRow::cover(int x, int covered, const std::uint8_t (&color)[3]) {
    std::uint16_t* left = left_.data() + 3 * x;
    std::uint16_t* colors = colors_.data() + 3 * x;
    const int part = core::taken(left[0], covered);
    const auto remaining = static_cast<std::uint16_t>(left[0] - part);
    for (int channel = 0; channel < 3; ++channel) {
        left[channel] = remaining;
        colors[channel] = static_cast<std::uint16_t>(colors[channel] + part * color[channel]);
    }
}

void TintedRow::cover_whole(Span columns, const std::uint8_t (&color)[3]) {
    std::uint16_t pattern[kBlock];
    for (int i = 0; i < kBlock; ++i) pattern[i] = color[i % 3];
    std::uint16_t* left = left_.data();
    std::uint16_t* colors = colors_.data();
    const int end = 3 * columns.end;
    int i = 3 * columns.begin;
    for (; i + kBlock <= end; i += kBlock) take_all(left + i, colors + i, pattern, kBlock);
    if (i < end) take_all(left + i, colors + i, pattern, end - i);
}

void TintedRow::apply(std::uint8_t* row, Span columns, int alpha) const {
    const std::uint16_t* left = left_.data();
    const std::uint16_t* colors = colors_.data();
    const auto strength = static_cast<std::uint16_t>(alpha);
    for (int i = 3 * columns.begin; i < 3 * columns.end; ++i) {
        // core::tinted in 16 bits, which the compiler then keeps to.
        const auto covered = static_cast<std::uint16_t>(2 * (core::kWholePixel - left[i]));
        const auto twice =
            static_cast<std::uint16_t>((static_cast<std::uint32_t>(covered) * strength) >> 16);
        const auto color =
            static_cast<std::uint16_t>((static_cast<std::uint32_t>(colors[i]) * strength) >> 16);
        const auto kept = static_cast<std::uint16_t>(core::kWholePixel - ((twice + 1) >> 1));
        const auto sum = static_cast<std::uint16_t>(row[i] * kept + color + 128);
        row[i] = static_cast<std::uint8_t>(sum >> 8);
    }
}

}  // namespace edgeseg::cpu
