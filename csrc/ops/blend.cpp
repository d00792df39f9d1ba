#include "ops/blend.h"

#include "core/letterbox.h"
#include "cpu/blend.h"
#include "ops/checks.h"

namespace edgeseg {

void blend(Device device, const CanvasView& image, const std::vector<MaskLayer>& layers,
           float alpha) {
    if (image.width > core::kMaxSourceSide || image.height > core::kMaxSourceSide) {
        refuse("image must have sides of at most ", core::kMaxSourceSide, " pixels, got ",
               image.width, " x ", image.height);
    }
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const core::GridView& grid = layers[i].grid;
        if (grid.rows > core::kMaxSourceSide || grid.columns > core::kMaxSourceSide) {
            refuse("grids[", i, "] must have sides of at most ", core::kMaxSourceSide,
                   " cells, got ", grid.rows, " rows of ", grid.columns);
        }
    }
    if (!(alpha >= 0.0f && alpha <= 1.0f)) refuse("alpha must be from 0 to 1, got ", alpha);
    if (device != Device::kCpu) refuse_device("blend", device);
    cpu::blend(image, layers, alpha);
}

}  // namespace edgeseg
