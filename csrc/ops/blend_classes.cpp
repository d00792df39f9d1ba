#include "ops/blend_classes.h"

#include <cmath>

#include "core/letterbox.h"
#include "cpu/blend_classes.h"
#include "ops/checks.h"

namespace edgeseg {

void blend_classes(Device device, const CanvasView& image, const ClassesView& classes,
                   const ClassTints& tints) {
    if (image.width > core::kMaxSourceSide || image.height > core::kMaxSourceSide) {
        refuse("image must have sides of at most ", core::kMaxSourceSide, " pixels, got ",
               image.width, " x ", image.height);
    }
    if (classes.rows < 1 || classes.columns < 1 || classes.rows > core::kMaxSourceSide ||
        classes.columns > core::kMaxSourceSide) {
        refuse("classes must have sides of 1 to ", core::kMaxSourceSide, " cells, got ",
               classes.rows, " rows of ", classes.columns);
    }
    const auto& [x, y, width, height] = tints.region;
    const bool is_finite =
        std::isfinite(x) && std::isfinite(y) && std::isfinite(width) && std::isfinite(height);
    if (!is_finite || width < 0 || height < 0) {
        refuse("region (x, y, width, height) must be finite with sides of 0 or more, got (", x,
               ", ", y, ", ", width, ", ", height, ")");
    }
    if (!(tints.alpha >= 0.0f && tints.alpha <= 1.0f)) {
        refuse("alpha must be from 0 to 1, got ", tints.alpha);
    }
    if (device != Device::kCpu) refuse_device("blend_classes", device);
    cpu::blend_classes(image, classes, tints);
}

}  // namespace edgeseg
