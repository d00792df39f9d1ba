#include "cuda/crop_checks.h"

#include "cuda/picture_checks.h"
#include "ops/checks.h"
#include "ops/crop_resize.h"

namespace edgeseg::cuda {
namespace {

template <typename Pointer>
bool is_placed(Pointer memory, std::size_t element_bytes) {
    return memory != nullptr && reinterpret_cast<std::uintptr_t>(memory) % element_bytes == 0;
}

}  // namespace

void check_crops(const CropBatch& batch) {
    check_pixels(batch.picture, batch.format, "picture");
    if (batch.count < 0 || batch.count > kMaxCrops) {
        refuse("count must be from 0 to ", kMaxCrops, ", got ", batch.count);
    }
    if (batch.width < 1 || batch.height < 1 || batch.width > kMaxCropSide ||
        batch.height > kMaxCropSide) {
        refuse("crop_px must be 1 to ", kMaxCropSide, ", got ", batch.width, " x ", batch.height);
    }
    if (!(batch.pad >= 0.0f && batch.pad <= 255.0f)) {
        refuse("pad must be from 0 to 255, got ", batch.pad);
    }
    if (batch.count == 0) return;
    if (!is_placed(batch.boxes, sizeof(float))) {
        refuse("boxes must be device memory aligned to its elements");
    }
    if (!is_placed(batch.out, batch.type == FloatType::kFloat16 ? 2 : 4)) {
        refuse("out must be device memory aligned to its elements");
    }
}

}  // namespace edgeseg::cuda
