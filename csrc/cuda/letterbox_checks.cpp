#include "cuda/letterbox_checks.h"

#include "cuda/picture_checks.h"
#include "ops/checks.h"

namespace edgeseg::cuda {
namespace {

constexpr int kMaxNetSide = 32768;

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
    check_pixels(picture, batch.format, "pictures[" + std::to_string(i) + "]");
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
