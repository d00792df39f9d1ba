#include <utility>
#include <vector>

#include "cpu/letterbox_kernels.h"

namespace edgeseg::cpu {
namespace {

struct Column {
    std::ptrdiff_t first, next;  // byte offsets of blue
    int weight;
};

std::vector<Column> columns_of(const core::ImageView& image, const core::Region& region) {
    std::vector<Column> columns;
    columns.reserve(static_cast<std::size_t>(region.width));
    for (int x = 0; x < region.width; ++x) {
        const core::Tap tap = core::tap(x, region.width, image.width, region.sampling);
        columns.push_back(
            {tap.index * image.pixel_stride, tap.next * image.pixel_stride, tap.weight});
    }
    return columns;
}

// The last two source rows, blended: an output row often needs one again.
class BlendedRows {
 public:
    BlendedRows(const core::ImageView& image, const core::Region& region)
        : image_(image),
          columns_(columns_of(image, region)),
          total_(core::tap_total(region.width, region.sampling)) {
        for (Slot& slot : slots_) slot.values.resize(3 * columns_.size());
    }

    // Red, green and blue of source row y. The row given before this one stays valid.
    const float* get(int y) {
        if (slots_[1].y != y) std::swap(slots_[0], slots_[1]);
        if (slots_[1].y != y) {
            blend(image_.row(y), slots_[1].values.data());
            slots_[1].y = y;
        }
        return slots_[1].values.data();
    }

 private:
    struct Slot {
        int y = -1;
        std::vector<float> values;
    };

    void blend(const std::uint8_t* row, float* out) const {
        const std::ptrdiff_t green = image_.channel_stride;
        const std::ptrdiff_t offsets[3] = {2 * green, green, 0};
        for (std::size_t x = 0; x < columns_.size(); ++x) {
            const Column& column = columns_[x];
            for (std::size_t plane = 0; plane < 3; ++plane) {
                const std::uint8_t* channel = row + offsets[plane];
                out[plane * columns_.size() + x] = static_cast<float>(core::blend_columns(
                    channel[column.first], channel[column.next], column.weight, total_));
            }
        }
    }

    const core::ImageView& image_;
    std::vector<Column> columns_;
    int total_;
    Slot slots_[2];  // the one given last is the second
};

}  // namespace

void resize_baseline(const core::ImageView& image, const core::PlanesView& out,
                     const core::Region& region) {
    BlendedRows rows(image, region);
    const float unit = core::column_unit(region.width, region.sampling);
    for (int y = 0; y < region.height; ++y) {
        const core::Tap tap = core::tap(y, region.height, image.height, region.sampling);
        const float fraction = core::row_fraction(tap, region.height, region.sampling);
        const float* upper = rows.get(tap.index);
        const float* lower = rows.get(tap.next);
        for (int plane = 0; plane < 3; ++plane) {
            float* __restrict row = out.row(plane, region.y + y) + region.x;
            for (int x = 0; x < region.width; ++x) {
                row[x] = core::blend_rows(upper[x], lower[x], fraction, unit);
            }
            upper += region.width;
            lower += region.width;
        }
    }
}

}  // namespace edgeseg::cpu
