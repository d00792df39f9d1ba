#include "cpu/prototypes.h"

#include <algorithm>

#include "core/prototypes.h"

namespace edgeseg::cpu {

void prototype_mask(const core::HeadView& prototypes, const PrototypeMask& mask) {
    const Window& window = mask.window;
    const auto width = static_cast<std::size_t>(window.right - window.left);
    std::vector<float> sums(width);
    std::uint8_t* out = mask.out;
    for (int y = window.top; y < window.bottom; ++y) {
        std::fill(sums.begin(), sums.end(), 0.0f);
        for (int i = 0; i < prototypes.channels; ++i) {
            const float coefficient = mask.coefficients[i * mask.stride];
            const float* row = prototypes.plane(i) + y * prototypes.row_stride + window.left;
            for (std::size_t x = 0; x < width; ++x) sums[x] += coefficient * row[x];
        }
        for (std::size_t x = 0; x < width; ++x) *out++ = core::certainty(sums[x]);
    }
}

}  // namespace edgeseg::cpu
