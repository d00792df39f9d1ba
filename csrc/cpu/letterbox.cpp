#include "cpu/letterbox.h"

#include <algorithm>

#include "cpu/letterbox_kernels.h"

namespace edgeseg::cpu {
namespace {

void fill_padding(const core::PlanesView& out, const core::Region& region, float value) {
    for (int plane = 0; plane < 3; ++plane) {
        for (int y = 0; y < out.height; ++y) {
            float* row = out.row(plane, y);
            if (y < region.y || y >= region.y + region.height) {
                std::fill_n(row, out.width, value);
            } else {
                std::fill_n(row, region.x, value);
                std::fill(row + region.x + region.width, row + out.width, value);
            }
        }
    }
}

}  // namespace

void resize_core(const core::ImageView& image, const core::PlanesView& out,
                 const core::Region& region) {
    for (int plane = 0; plane < 3; ++plane) {
        for (int y = 0; y < region.height; ++y) {
            float* row = out.row(plane, region.y + y) + region.x;
            for (int x = 0; x < region.width; ++x) {
                row[x] = core::letterbox_pixel(image, region, plane, x, y);
            }
        }
    }
}

void letterbox(const core::ImageView& image, const core::PlanesView& out,
               const LetterboxOptions& options, SimdLevel level) {
    if (options.fill) fill_padding(out, options.region, options.pad / 255.0f);
    if (level == SimdLevel::kCore) {
        resize_core(image, out, options.region);
        return;
    }
#if defined(__x86_64__)
    if (level == SimdLevel::kAvx2 && image.is_packed() && image.width > 1) {
        resize_avx2(image, out, options.region);
        return;
    }
#elif defined(__aarch64__)
    if (level == SimdLevel::kNeon && image.is_packed() && image.width > 1) {
        resize_neon(image, out, options.region);
        return;
    }
#endif
    resize_baseline(image, out, options.region);
}

}  // namespace edgeseg::cpu
