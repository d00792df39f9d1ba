#include "cpu/blend_classes.h"

#include <algorithm>
#include <cmath>

#include "core/tint.h"
#include "cpu/tinted_row.h"

namespace edgeseg::cpu {
namespace {

// The cell under the centre of each of `count` pixels.
std::vector<int> cells_of(double first, double length, int count, int limit) {
    std::vector<int> cells;
    cells.reserve(static_cast<std::size_t>(count));
    for (int px = 0; px < count; ++px) {
        const double cell = std::floor(first + (px + 0.5) * (length / count));
        cells.push_back(static_cast<int>(std::clamp(cell, 0.0, limit - 1.0)));
    }
    return cells;
}

class ClassRow {
 public:
    ClassRow(const ClassesView& classes, const ClassTints& tints, int width)
        : classes_(classes),
          tints_(tints),
          columns_(cells_of(tints.region[0], tints.region[2], width, classes.columns)),
          row_(width) {}

    // What lies over a pixel row that has the classes of `row`.
    const TintedRow& get(int row) {
        if (row == found_) return row_;
        found_ = row;
        const int width = static_cast<int>(columns_.size());
        row_.clear({0, width});
        for (int begin = 0; begin < width;) {
            const int kind = class_at(begin);
            int end = begin + 1;
            while (end < width && class_at(end) == kind) ++end;
            if (is_shown(kind)) cover({begin, end}, static_cast<std::size_t>(kind));
            begin = end;
        }
        return row_;
    }

 private:
    int class_at(int px) const {
        return classes_.at(found_, columns_[static_cast<std::size_t>(px)]);
    }

    bool is_shown(int kind) const {
        return kind != tints_.hidden && kind != kNoClass && !tints_.colors.empty();
    }

    void cover(Span columns, std::size_t kind) {
        const std::array<std::uint8_t, 3>& color = tints_.colors[kind % tints_.colors.size()];
        row_.cover_whole(columns, {color[0], color[1], color[2]});
    }

    const ClassesView& classes_;
    const ClassTints& tints_;
    std::vector<int> columns_;
    TintedRow row_;
    int found_ = -1;
};

}  // namespace

void blend_classes(const CanvasView& image, const ClassesView& classes, const ClassTints& tints) {
    if (image.width == 0 || image.height == 0) return;
    ClassRow row(classes, tints, image.width);
    const std::vector<int> rows =
        cells_of(tints.region[1], tints.region[3], image.height, classes.rows);
    const int steps = core::alpha_steps(tints.alpha);
    for (int y = 0; y < image.height; ++y) {
        row.get(rows[static_cast<std::size_t>(y)])
            .apply(image.data + y * image.row_stride, {0, image.width}, steps);
    }
}

}  // namespace edgeseg::cpu
