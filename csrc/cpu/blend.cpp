#include "cpu/blend.h"

#include <algorithm>
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

}  // namespace

void blend(const CanvasView& image, const std::vector<MaskLayer>& masks, float alpha) {
    std::vector<Layer> layers = visible_layers(image, masks);
    TintedRow tints(image.width);
    const int steps = core::alpha_steps(alpha);
    for (int y = 0; y < image.height; ++y) {
        Span columns = {image.width, 0};
        for (const Layer& layer : layers) {
            if (!layer.has_row(y)) continue;
            columns.begin = std::min(columns.begin, layer.runs.columns().begin);
            columns.end = std::max(columns.end, layer.runs.columns().end);
        }
        if (columns.begin >= columns.end) continue;
        tints.clear(columns);
        for (Layer& layer : layers) {
            if (layer.has_row(y)) cover_row(layer, y, tints);
        }
        tints.apply(image.data + y * image.row_stride, columns, steps);
    }
}

}  // namespace edgeseg::cpu
