#include "cpu/mask_iou.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace edgeseg::cpu {
namespace {

constexpr int kLattice = 32;

core::Box shared(const core::Box& a, const core::Box& b) {
    return {std::max(a.left, b.left), std::max(a.top, b.top), std::min(a.right, b.right),
            std::min(a.bottom, b.bottom)};
}

core::Box around(const core::Box& a, const core::Box& b) {
    return {std::min(a.left, b.left), std::min(a.top, b.top), std::max(a.right, b.right),
            std::max(a.bottom, b.bottom)};
}

bool holds(const core::Box& box, float x, float y) {
    return x >= box.left && x < box.right && y >= box.top && y < box.bottom;
}

// A position along an axis of the grid: two cells, and how far between them.
struct Tap {
    int low, high;
    float share;
};

Tap tap(float at, float begin, float end, int cells) {
    const float place = (at - begin) / (end - begin) * static_cast<float>(cells) - 0.5f;
    const float held = std::clamp(place, 0.0f, static_cast<float>(cells - 1));
    const int low = static_cast<int>(held);
    return {low, std::min(low + 1, cells - 1), held - static_cast<float>(low)};
}

bool covers(const MaskView& mask, float x, float y) {
    if (!holds(mask.region, x, y) || !holds(mask.clip, x, y)) return false;
    const Tap across = tap(x, mask.region.left, mask.region.right, mask.columns);
    const Tap down = tap(y, mask.region.top, mask.region.bottom, mask.rows);
    const auto at = [&](int row, int column) {
        return static_cast<float>(mask.grid[row * mask.row_stride + column * mask.column_stride]);
    };
    const auto along = [&](int row) {
        const float low = at(row, across.low);
        return low + (at(row, across.high) - low) * across.share;
    };
    const float above = along(down.low);
    return above + (along(down.high) - above) * down.share >= 127.5f;
}

bool usable(const MaskView& mask) {
    return mask.rows > 0 && mask.columns > 0 && core::is_finite(mask.region) &&
           core::is_finite(mask.clip) && core::area(shared(mask.region, mask.clip)) > 0.0f;
}

float overlap(const MaskView& a, const MaskView& b) {
    constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
    if (!usable(a) || !usable(b)) return kNone;
    const core::Box box_a = shared(a.region, a.clip), box_b = shared(b.region, b.clip);
    if (!(core::area(shared(box_a, box_b)) > 0.0f)) return 0.0f;
    const core::Box all = around(box_a, box_b);
    const float step_x = (all.right - all.left) / kLattice;
    const float step_y = (all.bottom - all.top) / kLattice;
    int in_a = 0, in_b = 0, in_both = 0;
    for (int j = 0; j < kLattice; ++j) {
        const float y = all.top + (static_cast<float>(j) + 0.5f) * step_y;
        for (int i = 0; i < kLattice; ++i) {
            const float x = all.left + (static_cast<float>(i) + 0.5f) * step_x;
            const bool first = covers(a, x, y), second = covers(b, x, y);
            in_a += first;
            in_b += second;
            in_both += first && second;
        }
    }
    if (in_a == 0 || in_b == 0) return kNone;
    return static_cast<float>(in_both) / static_cast<float>(in_a + in_b - in_both);
}

}  // namespace

std::vector<float> mask_iou(const std::vector<MaskView>& a, const std::vector<MaskView>& b) {
    std::vector<float> overlaps;
    overlaps.reserve(a.size() * b.size());
    for (const MaskView& first : a) {
        for (const MaskView& second : b) overlaps.push_back(overlap(first, second));
    }
    return overlaps;
}

}  // namespace edgeseg::cpu
