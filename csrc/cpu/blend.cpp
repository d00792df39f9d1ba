#include "cpu/blend.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/tint.h"
#include "cpu/mask_runs.h"
#include "cpu/tinted_row.h"

namespace edgeseg::cpu {
namespace {

struct Layer {
    const MaskLayer* mask;
    core::GridPlace place;
    MaskRuns runs;

    bool has_row(int y) const { return y >= runs.rows().begin && y < runs.rows().end; }
};

void cover_row(Layer& layer, int y, TintedRow& row) {
    const core::CellTap tap = core::cell_tap(layer.place.y, y);
    for (const MaskRun& run : layer.runs.get(tap)) {
        if (run.is_whole) {
            row.cover_whole({run.begin, run.end}, layer.mask->color);
            continue;
        }
        for (int x = run.begin; x < run.end; ++x) {
            const core::CellTap column = core::cell_tap(layer.place.x, x);
            const int covered = core::coverage(layer.mask->grid, layer.place, tap, column);
            if (covered > 0) row.cover(x, covered, layer.mask->color);
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

// The columns of a row that masks may reach, gap by gap; the same until a mask begins or ends.
class ReachedColumns {
 public:
    explicit ReachedColumns(const std::vector<Layer>& layers) : layers_(layers) {}

    const std::vector<Span>& get(int y) {
        if (y >= valid_until_) find(y);
        return spans_;
    }

 private:
    void find(int y) {
        std::vector<Span> found;
        valid_until_ = std::numeric_limits<int>::max();
        for (const Layer& layer : layers_) {
            const Span& rows = layer.runs.rows();
            if (layer.has_row(y)) found.push_back(layer.runs.columns());
            if (rows.begin > y) valid_until_ = std::min(valid_until_, rows.begin);
            if (rows.end > y) valid_until_ = std::min(valid_until_, rows.end);
        }
        std::sort(found.begin(), found.end(),
                  [](const Span& a, const Span& b) { return a.begin < b.begin; });
        spans_.clear();
        for (const Span& span : found) {
            if (spans_.empty() || span.begin > spans_.back().end) {
                spans_.push_back(span);
            } else {
                spans_.back().end = std::max(spans_.back().end, span.end);
            }
        }
    }

    const std::vector<Layer>& layers_;
    std::vector<Span> spans_;
    int valid_until_ = 0;
};

}  // namespace

void blend(const CanvasView& image, const std::vector<MaskLayer>& masks, float alpha) {
    std::vector<Layer> layers = visible_layers(image, masks);
    ReachedColumns reached(layers);
    TintedRow tints(image.width);
    const int steps = core::alpha_steps(alpha);
    for (int y = 0; y < image.height; ++y) {
        const std::vector<Span>& spans = reached.get(y);
        for (const Span& columns : spans) tints.clear(columns);
        for (Layer& layer : layers) {
            if (layer.has_row(y)) cover_row(layer, y, tints);
        }
        for (const Span& columns : spans) {
            tints.apply(image.data + y * image.row_stride, columns, steps);
        }
    }
}

}  // namespace edgeseg::cpu
