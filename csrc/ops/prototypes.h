#pragma once

#include <cstdint>
#include <vector>

#include "core/views.h"
#include "ops/device.h"

namespace edgeseg {

// Columns from `left` to before `right`, rows from `top` to before `bottom`.
struct Window {
    int left, top, right, bottom;
};

// What one object's mask is made of.
struct PrototypeMask {
    const float* coefficients;  // one for each prototype
    std::ptrdiff_t stride;      // between them, in elements
    Window window;
    std::uint8_t* out;  // rows of the window, adjacent
};

// Throws std::invalid_argument when a window is turned round or leaves the prototypes.
void check_window(const core::HeadView& prototypes, const Window& window);

// Mix the prototypes of a picture by each object's coefficients (YOLACT, Bolya et al., ICCV
// 2019), inside a window of each: out = core::certainty(sum of coefficient times prototype).
// The sum is taken in the order of the prototypes, in float32.
//
// Throws as check_window.
void prototype_masks(Device device, const core::HeadView& prototypes,
                     const std::vector<PrototypeMask>& masks);

}  // namespace edgeseg
