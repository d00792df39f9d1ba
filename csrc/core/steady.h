#pragma once

#include <cstddef>
#include <cstdint>

#include "core/hd.h"

// Masks of one object in successive frames: how one lies on the other, and what of a change
// is flicker.
namespace edgeseg::core {

// uint8[rows, columns], borrowed; columns are adjacent. The stride is in elements.
struct GridView {
    const std::uint8_t* data;
    int rows, columns;
    std::ptrdiff_t row_stride;

    EDGESEG_HD const std::uint8_t* row(int y) const { return data + y * row_stride; }
};

// Where a place of the present grid lies in the former one, in shares of their sides:
// former = 0.5 + scale * (present - 0.5) + shift.
struct GridFit {
    float scale_x = 1.0f, shift_x = 0.0f, scale_y = 1.0f, shift_y = 0.0f;

    EDGESEG_HD float x(float share) const { return 0.5f + scale_x * (share - 0.5f) + shift_x; }
    EDGESEG_HD float y(float share) const { return 0.5f + scale_y * (share - 0.5f) + shift_y; }
};

// Two neighbouring cells and the weight of the second, for a place along one side.
struct Taps {
    int first, second;
    float weight;

    EDGESEG_HD int nearest() const { return weight < 0.5f ? first : second; }
};

// The cells around a share of a side with `cells` cells; beyond the edge the edge repeats.
EDGESEG_HD inline Taps taps(float share, int cells) {
    float place = share * static_cast<float>(cells) - 0.5f;
    const float last = static_cast<float>(cells - 1);
    place = place < 0.0f ? 0.0f : place > last ? last : place;
    const int first = static_cast<int>(place);
    return {first, first + 1 < cells ? first + 1 : first, place - static_cast<float>(first)};
}

// The grid between four cells, 0..255.
EDGESEG_HD inline float sample(const GridView& grid, const Taps& x, const Taps& y) {
    const std::uint8_t* upper = grid.row(y.first);
    const std::uint8_t* lower = grid.row(y.second);
    const float above = upper[x.first] + x.weight * (upper[x.second] - upper[x.first]);
    const float below = lower[x.first] + x.weight * (lower[x.second] - lower[x.first]);
    return above + y.weight * (below - above);
}

constexpr float kChange = 64.0f;  // smaller differences of certainty are no change
enum Trend : std::uint8_t { kStill = 0, kRising = 1, kFalling = 2 };

EDGESEG_HD inline Trend trend_of(float change) {
    return change > kChange ? kRising : change < -kChange ? kFalling : kStill;
}

// What became of the last frame's change: nothing to tell, it stayed, or it was taken back.
enum Event : std::uint8_t { kNothing = 0, kStayed = 1, kTakenBack = 2 };

EDGESEG_HD inline Event event_of(Trend before, Trend now) {
    if (before == kStill) return kNothing;
    return now == kStill || now == before ? kStayed : kTakenBack;
}

// How much a cell's changes are doubted, 0..255, after an event in its neighbourhood. One
// change taken back weighs as much as two that stayed: noise does both.
EDGESEG_HD inline float doubt_after(float doubt, bool stayed, bool taken_back) {
    if (taken_back) doubt += 0.6f * (255.0f - doubt);
    if (stayed) doubt -= 0.3f * doubt;
    return doubt;
}

// From 0 at `low` to 1 at `high`, without a kink.
EDGESEG_HD inline float smoothstep(float value, float low, float high) {
    const float t = (value - low) / (high - low);
    const float share = t < 0.0f ? 0.0f : t > 1.0f ? 1.0f : t;
    return share * share * (3.0f - 2.0f * share);
}

// The weight of the median at a boundary, 0..1. `flicker` is the share of the mask's changes
// that were taken back: about a half when all is noise, small when the shape itself changes.
EDGESEG_HD inline float near_weight(float doubt, float flicker) {
    return smoothstep(doubt, 50.0f, 150.0f) * smoothstep(flicker, 0.23f, 0.43f);
}

// The weight of the median far from a boundary. `balance` is what has come by what has gone,
// or the other way, 0..1: a limb that swings does both, a part that drops out does not.
EDGESEG_HD inline float far_weight(float balance, float flicker) {
    return (1.0f - smoothstep(balance, 0.25f, 0.6f)) * smoothstep(flicker, 0.15f, 0.3f);
}

// `flicker` after a frame with so many changes of either end; few tell little.
EDGESEG_HD inline float flicker_after(float flicker, float stayed, float taken_back) {
    const float events = stayed + taken_back;
    if (events < 1.0f) return flicker;
    return flicker + 0.15f * events / (events + 40.0f) * (taken_back / events - flicker);
}

EDGESEG_HD inline float median3(float a, float b, float c) {
    const float low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

}  // namespace edgeseg::core
