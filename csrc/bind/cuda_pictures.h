#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "bind/register_cuda.h"

namespace edgeseg::bind {

// One picture in device memory, as Python gives it.
struct BoundPicture {
    std::uintptr_t pixels, chroma;
    std::pair<int, int> size_px;
    std::int64_t pitch, chroma_pitch;
};

inline cuda::PixelFormat format_named(const std::string& name) {
    if (name == "bgr") return cuda::PixelFormat::kBgr;
    if (name == "rgb") return cuda::PixelFormat::kRgb;
    if (name == "bgra") return cuda::PixelFormat::kBgra;
    if (name == "rgba") return cuda::PixelFormat::kRgba;
    if (name == "nv12") return cuda::PixelFormat::kNv12;
    refuse("format must be \"bgr\", \"rgb\", \"bgra\", \"rgba\" or \"nv12\", got \"", name, "\"");
}

inline cuda::Picture picture_of(const BoundPicture& picture, const core::Region& region) {
    return {device_pointer<const std::uint8_t>(picture.pixels),
            device_pointer<const std::uint8_t>(picture.chroma),
            picture.size_px.first,
            picture.size_px.second,
            picture.pitch,
            picture.chroma_pitch,
            region};
}

}  // namespace edgeseg::bind
