#pragma once

#include "core/letterbox.h"
#include "core/views.h"

// One resize for each SIMD level: all fill `region` of `out` with the bits of
// core::letterbox_pixel.
namespace edgeseg::cpu {

// The definition, pixel by pixel.
void resize_core(const core::ImageView& image, const core::PlanesView& out,
                 const core::Region& region);

// Plain C++ for any picture: each source row is blended once.
void resize_baseline(const core::ImageView& image, const core::PlanesView& out,
                     const core::Region& region);

#if defined(__x86_64__)
// Takes packed pictures (ImageView::is_packed) of two columns or more.
void resize_avx2(const core::ImageView& image, const core::PlanesView& out,
                 const core::Region& region);
#elif defined(__aarch64__)
// The same.
void resize_neon(const core::ImageView& image, const core::PlanesView& out,
                 const core::Region& region);
#endif

}  // namespace edgeseg::cpu
