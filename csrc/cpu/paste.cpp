#include "cpu/paste.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "cpu/mask_spans.h"

namespace edgeseg::cpu {
namespace {

// Rows of the grid, each stretched to the width of `columns`. A pixel row often needs one again.
class StretchedRows {
 public:
    StretchedRows(const core::GridView& grid, const core::GridAxis& axis, Span columns)
        : grid_(grid) {
        const auto count = static_cast<std::size_t>(columns.end - columns.begin);
        taps_.reserve(count);
        for (int x = columns.begin; x < columns.end; ++x) taps_.push_back(core::cell_tap(axis, x));
        for (Slot& slot : slots_) slot.values.resize(count);
    }

    // The row given before this one stays valid.
    const float* get(int row) {
        if (slots_[1].row != row) std::swap(slots_[0], slots_[1]);
        if (slots_[1].row != row) {
            stretch(row, slots_[1].values.data());
            slots_[1].row = row;
        }
        return slots_[1].values.data();
    }

 private:
    struct Slot {
        int row = -1;
        std::vector<float> values;
    };

    void stretch(int row, float* out) const {
        for (const core::CellTap& tap : taps_) {
            *out++ = core::between(grid_.at(row, tap.index), grid_.at(row, tap.next), tap.fraction);
        }
    }

    const core::GridView& grid_;
    std::vector<core::CellTap> taps_;
    Slot slots_[2];  // the one given last is the second
};

}  // namespace

void paste(const core::GridView& grid, const MaskPlace& place, const PixelBox& box,
           std::uint8_t* out) {
    const int width = box.right - box.left, height = box.bottom - box.top;
    std::fill_n(out, static_cast<std::size_t>(width) * static_cast<std::size_t>(height),
                std::uint8_t{0});
    const core::GridPlace axes =
        core::grid_place(place.region, place.clip, grid.rows, grid.columns);
    const Span columns = held_span(axes.x, {box.left, box.right});
    const Span rows = held_span(axes.y, {box.top, box.bottom});
    if (columns.begin == columns.end || rows.begin == rows.end) return;
    StretchedRows stretched(grid, axes.x, columns);
    for (int y = rows.begin; y < rows.end; ++y) {
        const core::CellTap tap = core::cell_tap(axes.y, y);
        const float* upper = stretched.get(tap.index);
        const float* lower = stretched.get(tap.next);
        std::uint8_t* __restrict row =
            out + static_cast<std::ptrdiff_t>(y - box.top) * width + (columns.begin - box.left);
        for (int x = 0; x < columns.end - columns.begin; ++x) {
            row[x] = core::certainty_byte(core::between(upper[x], lower[x], tap.fraction));
        }
    }
}

}  // namespace edgeseg::cpu
