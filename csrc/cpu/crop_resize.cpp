#include "cpu/crop_resize.h"

#include <algorithm>
#include <vector>

#include "core/crop.h"
#include "cpu/lanes.h"

namespace edgeseg::cpu {
namespace {

// Rows of bytes that a uint16 can sum up.
constexpr int kRowsOfUint16 = 257;

std::vector<core::Footprint> footprints(float low, float high, int out_size, int source_size) {
    std::vector<core::Footprint> along;
    along.reserve(static_cast<std::size_t>(out_size));
    for (int out = 0; out < out_size; ++out) {
        along.push_back(core::footprint(low, high, out, out_size, source_size));
    }
    return along;
}

// One crop, row by row: the source rows of a footprint are summed up into one row, and that
// row's pixels into output pixels, blue, green and red side by side in lanes.
class Crop {
 public:
    Crop(const core::ImageView& image, const core::Box& box, const core::PlanesView& out, float pad)
        : image_(image),
          out_(out),
          pad_(pad),
          columns_(footprints(box.left, box.right, out.width, image.width)),
          rows_(footprints(box.top, box.bottom, out.height, image.height)) {
        begin_ = image.width;
        for (const core::Footprint& column : columns_) {
            if (column.is_outside()) continue;
            begin_ = std::min(begin_, column.first);
            end_ = std::max(end_, column.last + 1);
        }
        bytes_ = end_ > begin_ ? 3 * static_cast<std::size_t>(end_ - begin_) : 0;
        // A load of four lanes reads one value past the last pixel.
        sums_.resize(bytes_ + 1);
    }

    void run() {
        for (int y = 0; y < out_.height; ++y) {
            const core::Footprint& row = rows_[static_cast<std::size_t>(y)];
            if (row.is_outside() || bytes_ == 0) {
                for (int plane = 0; plane < 3; ++plane) {
                    std::fill_n(out_.row(plane, y), out_.width, pad_ / 255.0f);
                }
                continue;
            }
            sum_rows(row);
            write_row(row, y);
        }
    }

 private:
    // Bytes of source row y from the first pixel needed on. A copy when they do not lie side by
    // side; `slot` says where.
    const std::uint8_t* packed(int y, int slot) {
        const std::uint8_t* row = image_.row(y) + begin_ * image_.pixel_stride;
        if (image_.is_packed()) return row;
        copies_[slot].resize(bytes_);
        std::uint8_t* copy = copies_[slot].data();
        for (int x = 0; x < end_ - begin_; ++x) {
            for (int channel = 0; channel < 3; ++channel) {
                *copy++ = row[x * image_.pixel_stride + channel * image_.channel_stride];
            }
        }
        return copies_[slot].data();
    }

    void sum_rows(const core::Footprint& row) {
        if (row.last - row.first < 2) {
            const std::uint8_t* first = packed(row.first, 0);
            const std::uint8_t* last = packed(row.last, 1);
            float* sums = sums_.data();
            for (std::size_t i = 0; i < bytes_; ++i) {
                sums[i] = core::footprint_sum(first[i], last[i], 0.0f, row);
            }
        } else if (row.last - row.first - 1 <= kRowsOfUint16) {
            sum_many(row, narrow_);
        } else {
            sum_many(row, wide_);
        }
    }

    template <typename Whole>
    void sum_many(const core::Footprint& row, std::vector<Whole>& between) {
        between.assign(bytes_, 0);
        Whole* __restrict whole = between.data();
        for (int y = row.first + 1; y < row.last; ++y) {
            const std::uint8_t* source = packed(y, 0);
            for (std::size_t i = 0; i < bytes_; ++i) {
                whole[i] = static_cast<Whole>(whole[i] + source[i]);
            }
        }
        const std::uint8_t* first = packed(row.first, 0);
        const std::uint8_t* last = packed(row.last, 1);
        float* __restrict sums = sums_.data();
        for (std::size_t i = 0; i < bytes_; ++i) {
            sums[i] = core::footprint_sum(first[i], last[i], static_cast<float>(whole[i]), row);
        }
    }

    void write_row(const core::Footprint& row, int y) {
        float* red = out_.row(0, y);
        float* green = out_.row(1, y);
        float* blue = out_.row(2, y);
        for (int x = 0; x < out_.width; ++x) {
            const core::Footprint& column = columns_[static_cast<std::size_t>(x)];
            if (column.is_outside()) {
                red[x] = green[x] = blue[x] = pad_ / 255.0f;
                continue;
            }
            const float* pixel = sums_.data() + 3 * (column.first - begin_);
            const float* last = sums_.data() + 3 * (column.last - begin_);
            const Floats ends = column.head * load(pixel) + column.tail * load(last);
            Floats between = {};
            for (pixel += 3; pixel < last; pixel += 3) between += load(pixel);
            const core::CropScale scale = core::crop_scale(column, row, pad_);
            const Floats mean = ((ends + between) + scale.padding) / scale.divisor;
            red[x] = core::lesser(mean[2], 1.0f);
            green[x] = core::lesser(mean[1], 1.0f);
            blue[x] = core::lesser(mean[0], 1.0f);
        }
    }

    const core::ImageView& image_;
    const core::PlanesView& out_;
    float pad_;
    std::vector<core::Footprint> columns_, rows_;
    int begin_ = 0, end_ = 0;  // source columns needed
    std::size_t bytes_ = 0;    // of a source row
    std::vector<float> sums_;
    std::vector<std::uint16_t> narrow_;
    std::vector<std::uint32_t> wide_;
    std::vector<std::uint8_t> copies_[2];
};

}  // namespace

void crop_resize(const core::ImageView& image, const BoxesView& boxes, const CropsView& out,
                 float pad) {
    for (std::ptrdiff_t i = 0; i < boxes.count; ++i) {
        const core::Box box = {boxes.edge(i, 0), boxes.edge(i, 1), boxes.edge(i, 2),
                               boxes.edge(i, 3)};
        const core::PlanesView crop = out.crop(i);
        if (core::is_crop(box)) {
            Crop(image, box, crop, pad).run();
            continue;
        }
        for (int plane = 0; plane < 3; ++plane) {
            for (int y = 0; y < crop.height; ++y) {
                std::fill_n(crop.row(plane, y), crop.width, pad / 255.0f);
            }
        }
    }
}

}  // namespace edgeseg::cpu
