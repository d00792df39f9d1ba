#pragma once

#include <cstdint>
#include <cstring>

#include "core/geometry.h"
#include "core/hd.h"
#include "core/math.h"

namespace edgeseg::core {

// Strict order of candidates. Ties go to the lower index: a sort that leaves
// them open keeps other boxes on the GPU than on the CPU.
EDGESEG_HD inline bool before(float score_a, std::int64_t index_a, float score_b,
                              std::int64_t index_b) {
    return score_a > score_b || (score_a == score_b && index_a < index_b);
}

// The strict order as one number, lower first, for a score that is not NaN.
EDGESEG_HD inline std::uint64_t rank_key(float score, std::uint32_t index) {
    const float plus_zero = score + 0.0f;  // -0 and 0 are a tie
    std::uint32_t bits;
    std::memcpy(&bits, &plus_zero, sizeof bits);
    // IEEE numbers above 0 rise with their bits, those below fall.
    const std::uint32_t rising = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return (static_cast<std::uint64_t>(~rising) << 32) | index;
}

// Intersection over union, with the areas known; 0 when nothing is shared.
EDGESEG_HD inline float iou(const Box& a, float area_a, const Box& b, float area_b) {
    const float width = lesser(a.right, b.right) - greater(a.left, b.left);
    const float height = lesser(a.bottom, b.bottom) - greater(a.top, b.top);
    const float shared = greater(width, 0.0f) * greater(height, 0.0f);
    const float ratio = shared / ((area_a + area_b) - shared);
    return shared > 0.0f ? ratio : 0.0f;
}

// Distance-IoU: the IoU less the squared distance of the centres over the squared
// diagonal of the box around both (Zheng et al., AAAI 2020, equation 7).
EDGESEG_HD inline float diou(const Box& a, float area_a, const Box& b, float area_b) {
    const float around_w = greater(a.right, b.right) - lesser(a.left, b.left);
    const float around_h = greater(a.bottom, b.bottom) - lesser(a.top, b.top);
    const float diagonal = around_w * around_w + around_h * around_h;
    const float apart_x = 0.5f * ((a.left + a.right) - (b.left + b.right));
    const float apart_y = 0.5f * ((a.top + a.bottom) - (b.top + b.bottom));
    const float ratio = (apart_x * apart_x + apart_y * apart_y) / diagonal;
    return iou(a, area_a, b, area_b) - (diagonal > 0.0f ? ratio : 0.0f);
}

// What is left of a score beside a better box (Bodla et al., ICCV 2017, Gaussian).
EDGESEG_HD inline float soften(float score, float overlap, float sigma) {
    return overlap > 0.0f ? score * exponential(-(overlap * overlap) / sigma) : score;
}

}  // namespace edgeseg::core
