#include "cuda/picture_checks.h"

#include "ops/checks.h"

namespace edgeseg::cuda {
namespace {

std::int64_t row_bytes(const Picture& picture, PixelFormat format) {
    switch (format) {
        case PixelFormat::kBgr:
        case PixelFormat::kRgb:
            return 3 * static_cast<std::int64_t>(picture.width);
        case PixelFormat::kBgra:
        case PixelFormat::kRgba:
            return 4 * static_cast<std::int64_t>(picture.width);
        case PixelFormat::kNv12:
            break;
    }
    return picture.width;
}

void check_nv12(const Picture& picture, const std::string& name) {
    if (picture.chroma == nullptr) refuse(name, " is NV12 and must have a chroma plane");
    if (picture.width % 2 != 0 || picture.height % 2 != 0) {
        refuse(name, " is NV12 and must have even sides, got ", picture.width, " x ",
               picture.height);
    }
    if (picture.chroma_pitch < picture.width) {
        refuse(name, " must have a chroma_pitch of at least ", picture.width, " bytes, got ",
               picture.chroma_pitch);
    }
}

}  // namespace

void check_pixels(const Picture& picture, PixelFormat format, const std::string& name) {
    if (picture.pixels == nullptr) refuse(name, " must have memory, got pointer 0");
    if (picture.width < 1 || picture.height < 1 || picture.width > core::kMaxSourceSide ||
        picture.height > core::kMaxSourceSide) {
        refuse(name, " must have sides of 1 to ", core::kMaxSourceSide, " pixels, got ",
               picture.width, " x ", picture.height);
    }
    if (picture.pitch < row_bytes(picture, format)) {
        refuse(name, " must have a pitch of at least ", row_bytes(picture, format), " bytes, got ",
               picture.pitch);
    }
    if (format == PixelFormat::kNv12) check_nv12(picture, name);
}

}  // namespace edgeseg::cuda
