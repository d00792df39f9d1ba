#include "cpu/mask_runs.h"

#include <algorithm>
#include <cmath>

#include "core/tint.h"

namespace edgeseg::cpu {

MaskRuns::MaskRuns(const core::GridView& grid, const core::GridPlace& place, int frame_width,
                   int frame_height)
    : grid_(grid),
      place_(place),
      columns_(held_span(place.x, {0, frame_width})),
      rows_(held_span(place.y, {0, frame_height})) {
    if (columns_.begin == columns_.end || rows_.begin == rows_.end) {
        columns_ = rows_ = {0, 0};
        return;
    }
    first_cell_ = core::cell_tap(place.x, columns_.begin).index;
    const int last_cell = core::cell_tap(place.x, columns_.end - 1).index;
    starts_.reserve(static_cast<std::size_t>(last_cell - first_cell_ + 2));
    for (int x = columns_.begin; x < columns_.end; ++x) {
        const int cell = core::cell_tap(place.x, x).index;
        while (first_cell_ + static_cast<int>(starts_.size()) <= cell) starts_.push_back(x);
    }
    starts_.push_back(columns_.end);
    runs_.reserve(starts_.size() - 1);
}

const std::vector<MaskRun>& MaskRuns::get(const core::CellTap& row) {
    if (found_ != row.index) find(row.index);
    found_ = row.index;
    return runs_;
}

void MaskRuns::find(int row) {
    // Far more than the rounding of core::coverage.
    constexpr float kMargin = 0.01f;
    runs_.clear();
    const int below = std::min(row + 1, grid_.rows - 1);
    for (std::size_t i = 0; i + 1 < starts_.size(); ++i) {
        const int cell = first_cell_ + static_cast<int>(i);
        const int next = std::min(cell + 1, grid_.columns - 1);
        const float a = grid_.at(row, cell), b = grid_.at(row, next);
        const float c = grid_.at(below, cell), d = grid_.at(below, next);
        const float across = std::max(std::abs(b - a), std::abs(d - c)) * place_.x.cells_per_px;
        const float down = std::max(std::abs(c - a), std::abs(d - b)) * place_.y.cells_per_px;
        const float half = 0.5f * std::max({across, down, 1.0f}) * (1.0f + 1e-4f) + kMargin;
        if (std::max({a, b, c, d}) - core::kEdge <= -half) continue;
        add(starts_[i], starts_[i + 1], std::min({a, b, c, d}) - core::kEdge >= half);
    }
}

void MaskRuns::add(int begin, int end, bool is_whole) {
    if (begin == end) return;
    if (!runs_.empty() && runs_.back().end == begin && runs_.back().is_whole == is_whole) {
        runs_.back().end = end;
    } else {
        runs_.push_back({begin, end, is_whole});
    }
}

}  // namespace edgeseg::cpu
