#include "cpu/blend.h"

#include <algorithm>
#include <utility>

#include "core/tint.h"
#include "cpu/mask_runs.h"

namespace edgeseg::cpu {
namespace {

// Pixels that a loop of fixed length takes at once, so that the compiler can keep the three
// channels' pattern in registers.
constexpr int kBlock = 16;

struct Layer {
    const MaskLayer* mask;
    core::GridPlace place;
    MaskRuns runs;
};

// What the masks do to one row of the picture. Every value fits 16 bits (core::tinted).
class TintedRow {
 public:
    explicit TintedRow(int width)
        : left_(3 * static_cast<std::size_t>(width)), colors_(left_.size()) {}

    void clear(Span columns) {
        const auto begin = 3 * columns.begin, count = 3 * (columns.end - columns.begin);
        std::fill_n(left_.begin() + begin, count, std::uint16_t{core::kWholePixel});
        std::fill_n(colors_.begin() + begin, count, std::uint16_t{0});
    }

    void cover(int x, int covered, const MaskLayer& mask) {
        std::uint16_t* left = left_.data() + 3 * x;
        std::uint16_t* colors = colors_.data() + 3 * x;
        const int part = core::taken(left[0], covered);
        const int remaining = left[0] - part;
        const int color[3] = {mask.blue, mask.green, mask.red};
        for (int channel = 0; channel < 3; ++channel) {
            left[channel] = static_cast<std::uint16_t>(remaining);
            colors[channel] = static_cast<std::uint16_t>(colors[channel] + part * color[channel]);
        }
    }

    void cover_whole(int begin, int end, const MaskLayer& mask) {
        std::uint16_t pattern[3 * kBlock];
        for (int i = 0; i < 3 * kBlock; i += 3) {
            pattern[i] = mask.blue;
            pattern[i + 1] = mask.green;
            pattern[i + 2] = mask.red;
        }
        int x = begin;
        for (; x + kBlock <= end; x += kBlock) take_all(x, 3 * kBlock, pattern);
        if (x < end) take_all(x, 3 * (end - x), pattern);
    }

    void apply(std::uint8_t* row, Span columns, int alpha) const {
        const std::uint16_t* left = left_.data();
        const std::uint16_t* colors = colors_.data();
        const auto strength = static_cast<std::uint16_t>(alpha);
        for (int i = 3 * columns.begin; i < 3 * columns.end; ++i) {
            // core::tinted in 16 bits, which the compiler then keeps to.
            const auto covered = static_cast<std::uint16_t>(2 * (core::kWholePixel - left[i]));
            const auto twice =
                static_cast<std::uint16_t>((static_cast<std::uint32_t>(covered) * strength) >> 16);
            const auto color = static_cast<std::uint16_t>(
                (static_cast<std::uint32_t>(colors[i]) * strength) >> 16);
            const auto kept = static_cast<std::uint16_t>(core::kWholePixel - ((twice + 1) >> 1));
            const auto sum = static_cast<std::uint16_t>(row[i] * kept + color + 128);
            row[i] = static_cast<std::uint8_t>(sum >> 8);
        }
    }

 private:
    void take_all(int x, int count, const std::uint16_t* __restrict pattern) {
        std::uint16_t* __restrict left = left_.data() + 3 * x;
        std::uint16_t* __restrict colors = colors_.data() + 3 * x;
        for (int i = 0; i < count; ++i) {
            colors[i] = static_cast<std::uint16_t>(colors[i] + left[i] * pattern[i]);
            left[i] = 0;
        }
    }

    std::vector<std::uint16_t> left_, colors_;  // three a pixel
};

void cover_row(Layer& layer, int y, TintedRow& row) {
    const core::CellTap tap = core::cell_tap(layer.place.y, y);
    for (const MaskRun& run : layer.runs.get(tap)) {
        if (run.is_whole) {
            row.cover_whole(run.begin, run.end, *layer.mask);
            continue;
        }
        for (int x = run.begin; x < run.end; ++x) {
            const core::CellTap column = core::cell_tap(layer.place.x, x);
            const int covered = core::coverage(layer.mask->grid, layer.place, tap, column);
            if (covered > 0) row.cover(x, covered, *layer.mask);
        }
    }
}

std::vector<Layer> visible_layers(const CanvasView& image, const std::vector<MaskLayer>& masks) {
    std::vector<Layer> layers;
    layers.reserve(masks.size());
    for (const MaskLayer& mask : masks) {
        const core::GridPlace place =
            core::grid_place(mask.place.region, mask.place.clip, mask.grid.rows, mask.grid.columns);
        MaskRuns runs(mask.grid, place, image.width, image.height);
        if (runs.rows().begin < runs.rows().end) layers.push_back({&mask, place, std::move(runs)});
    }
    return layers;
}

}  // namespace

void blend(const CanvasView& image, const std::vector<MaskLayer>& masks, float alpha) {
    std::vector<Layer> layers = visible_layers(image, masks);
    TintedRow tints(image.width);
    const int steps = core::alpha_steps(alpha);
    for (int y = 0; y < image.height; ++y) {
        Span columns = {image.width, 0};
        for (const Layer& layer : layers) {
            if (y < layer.runs.rows().begin || y >= layer.runs.rows().end) continue;
            columns.begin = std::min(columns.begin, layer.runs.columns().begin);
            columns.end = std::max(columns.end, layer.runs.columns().end);
        }
        if (columns.begin >= columns.end) continue;
        tints.clear(columns);
        for (Layer& layer : layers) {
            if (y >= layer.runs.rows().begin && y < layer.runs.rows().end) {
                cover_row(layer, y, tints);
            }
        }
        tints.apply(image.data + y * image.row_stride, columns, steps);
    }
}

}  // namespace edgeseg::cpu
