#pragma once

#include <cstdint>
#include <vector>

#include "cpu/mask_spans.h"
#include "ops/blend.h"

namespace edgeseg::cpu {

// What lies over one row of a picture: for each of three channels a pixel what is left of the
// picture and the sum of the colours, in the units of core::tinted. Every value fits 16 bits.
class TintedRow {
 public:
    explicit TintedRow(int width)
        : left_(3 * static_cast<std::size_t>(width)), colors_(left_.size()) {}

    void clear(Span columns);
    // `covered` is core::coverage.
    void cover(int x, int covered, const std::uint8_t (&color)[3]);
    void cover_whole(Span columns, const std::uint8_t (&color)[3]);
    // `alpha` is core::alpha_steps.
    void apply(std::uint8_t* row, Span columns, int alpha) const;

 private:
    std::vector<std::uint16_t> left_, colors_;
};

}  // namespace edgeseg::cpu
