#include "cuda/blend_checks.h"

#include "core/letterbox.h"
#include "ops/checks.h"

namespace edgeseg::cuda {

void check_blend(const BlendBatch& batch) {
    if (batch.pixels == nullptr) refuse("pixels must be device memory, got pointer 0");
    if (batch.width < 1 || batch.height < 1 || batch.width > core::kMaxSourceSide ||
        batch.height > core::kMaxSourceSide) {
        refuse("size_px must be 1 to ", core::kMaxSourceSide, ", got ", batch.width, " x ",
               batch.height);
    }
    if (batch.pitch < 3 * static_cast<std::int64_t>(batch.width)) {
        refuse("pitch must be at least ", 3 * batch.width, " bytes, got ", batch.pitch);
    }
    if (!(batch.alpha >= 0.0f && batch.alpha <= 1.0f)) {
        refuse("alpha must be from 0 to 1, got ", batch.alpha);
    }
    if (batch.count < 0) refuse("count must be 0 or more, got ", batch.count);
    if (batch.grids_bytes < 0) refuse("grids_bytes must be 0 or more, got ", batch.grids_bytes);
    if (batch.count == 0) return;
    if (batch.records == nullptr ||
        reinterpret_cast<std::uintptr_t>(batch.records) % alignof(MaskRecord) != 0) {
        refuse("records must be device memory aligned to ", alignof(MaskRecord), " bytes");
    }
    if (batch.grids == nullptr && batch.grids_bytes > 0) {
        refuse("grids must be device memory, got pointer 0");
    }
}

}  // namespace edgeseg::cuda
