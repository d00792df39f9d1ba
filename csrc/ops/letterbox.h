#pragma once

#include "core/letterbox.h"
#include "core/views.h"
#include "ops/device.h"

namespace edgeseg {

enum class SimdLevel;

struct LetterboxOptions {
    core::Region region;
    float pad = 127.5f;  // 0..255; Darknet's grey is exactly 0.5 then
    bool fill = true;    // false: the padding is left as it is
};

// Resize `image` into `region` of `out` and fill the rest.
//
// Bilinear with two taps an axis and no smoothing before a large reduction, sampled as the
// region says and as the network was trained: a Darknet network with the first pixel on the
// first and the last on the last (scores of small objects differ by a few per cent
// otherwise), others with centres on centres. Channels come out as red, green,
// blue, times 1/255; padding is pad/255. Every kernel on every device gives the same bits
// (core::letterbox_pixel). Reads only the source rows it needs; allocates a few rows.
//
// Throws std::invalid_argument when the picture is empty or has a side over 65535 pixels,
// the region does not lie inside `out` or has a side over 16383, or pad is not in 0..255.
void letterbox(Device device, const core::ImageView& image, const core::PlanesView& out,
               const LetterboxOptions& options, SimdLevel level);

}  // namespace edgeseg
