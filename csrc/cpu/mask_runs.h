#pragma once

#include <vector>

#include "core/masks.h"
#include "cpu/mask_spans.h"

namespace edgeseg::cpu {

// Pixels of a row that a mask covers: all of them wholly, or to be asked one by one.
struct MaskRun {
    int begin, end;
    bool is_whole;
};

// Finds what of a mask's rows need not be computed pixel by pixel: most of it lies so far from
// the edge that the four corners of a cell settle it.
class MaskRuns {
 public:
    // `frame_width` and `frame_height` are in pixels.
    MaskRuns(const core::GridView& grid, const core::GridPlace& place, int frame_width,
             int frame_height);

    const Span& columns() const { return columns_; }
    const Span& rows() const { return rows_; }

    // The runs of a pixel row whose cell_tap is `row`, from left to right; what is in none of
    // them is not covered. Valid until the next call.
    const std::vector<MaskRun>& get(const core::CellTap& row);

 private:
    void find(int row);
    void add(int begin, int end, bool is_whole);

    core::GridView grid_;
    core::GridPlace place_;
    Span columns_, rows_;
    int first_cell_ = 0;
    std::vector<int> starts_;  // first pixel of each cell from first_cell_ on, then the end
    int found_ = -1;           // the grid's row that runs_ is for
    std::vector<MaskRun> runs_;
};

}  // namespace edgeseg::cpu
