#include "ops/prototypes.h"

#include "cpu/prototypes.h"
#include "ops/checks.h"

namespace edgeseg {

void check_window(const core::HeadView& prototypes, const Window& window) {
    const bool inside = window.left >= 0 && window.top >= 0 && window.left <= window.right &&
                        window.top <= window.bottom && window.right <= prototypes.columns &&
                        window.bottom <= prototypes.rows;
    if (inside) return;
    refuse("windows (left, top, right, bottom) must lie inside the prototypes, which are ",
           prototypes.columns, " x ", prototypes.rows, ", got (", window.left, ", ", window.top,
           ", ", window.right, ", ", window.bottom, ")");
}

void prototype_masks(Device device, const core::HeadView& prototypes,
                     const std::vector<PrototypeMask>& masks) {
    for (const PrototypeMask& mask : masks) check_window(prototypes, mask.window);
    if (device != Device::kCpu) refuse_device("prototype_masks", device);
    for (const PrototypeMask& mask : masks) cpu::prototype_mask(prototypes, mask);
}

}  // namespace edgeseg
