#include "cuda/letterbox_checks.h"

#include "ops/checks.h"

namespace edgeseg::cuda {
namespace {

constexpr int kMaxNetSide = 32768;

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

void check_nv12(const Picture& picture, std::size_t i) {
    if (picture.chroma == nullptr) refuse("pictures[", i, "] is NV12 and must have a chroma plane");
    if (picture.width % 2 != 0 || picture.height % 2 != 0) {
        refuse("pictures[", i, "] is NV12 and must have even sides, got ", picture.width, " x ",
               picture.height);
    }
    if (picture.chroma_pitch < picture.width) {
        refuse("pictures[", i, "] must have a chroma_pitch of at least ", picture.width,
               " bytes, got ", picture.chroma_pitch);
    }
}

void check_region(const core::Region& region, const LetterboxBatch& batch, std::size_t i) {
    const bool inside = region.x >= 0 && region.y >= 0 && region.width >= 1 && region.height >= 1 &&
                        region.x <= batch.width && region.width <= batch.width - region.x &&
                        region.y <= batch.height && region.height <= batch.height - region.y;
    if (!inside || region.width > core::kMaxRegionSide || region.height > core::kMaxRegionSide) {
        refuse("regions[", i, "] (x, y, width, height) must lie inside net_px ", batch.width, " x ",
               batch.height, " with sides of at most ", core::kMaxRegionSide, ", got (", region.x,
               ", ", region.y, ", ", region.width, ", ", region.height, ")");
    }
}

void check_picture(const Picture& picture, const LetterboxBatch& batch, std::size_t i) {
    if (picture.pixels == nullptr) refuse("pictures[", i, "] must have memory, got pointer 0");
    if (picture.width < 1 || picture.height < 1 || picture.width > core::kMaxSourceSide ||
        picture.height > core::kMaxSourceSide) {
        refuse("pictures[", i, "] must have sides of 1 to ", core::kMaxSourceSide, " pixels, got ",
               picture.width, " x ", picture.height);
    }
    if (picture.pitch < row_bytes(picture, batch.format)) {
        refuse("pictures[", i, "] must have a pitch of at least ", row_bytes(picture, batch.format),
               " bytes, got ", picture.pitch);
    }
    if (batch.format == PixelFormat::kNv12) check_nv12(picture, i);
    check_region(picture.region, batch, i);
}

}  // namespace

void check_batch(const LetterboxBatch& batch) {
    if (batch.pictures.empty() || batch.pictures.size() > kMaxBatch) {
        refuse("pictures must be 1 to ", kMaxBatch, ", got ", batch.pictures.size());
    }
    if (batch.width < 1 || batch.height < 1 || batch.width > kMaxNetSide ||
        batch.height > kMaxNetSide || batch.width % 8 != 0) {
        refuse("net_px must be 1 to ", kMaxNetSide, " with a width that is a multiple of 8, got ",
               batch.width, " x ", batch.height);
    }
    if (batch.out == nullptr || reinterpret_cast<std::uintptr_t>(batch.out) % 16 != 0) {
        refuse("out must be device memory aligned to 16 bytes, got pointer ",
               reinterpret_cast<std::uintptr_t>(batch.out));
    }
    if (!(batch.pad >= 0.0f && batch.pad <= 255.0f)) {
        refuse("pad must be from 0 to 255, got ", batch.pad);
    }
    for (std::size_t i = 0; i < batch.pictures.size(); ++i) {
        check_picture(batch.pictures[i], batch, i);
    }
}

}  // namespace edgeseg::cuda
