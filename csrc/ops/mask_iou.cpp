#include "ops/mask_iou.h"

#include "cpu/mask_iou.h"

namespace edgeseg {

std::vector<float> mask_iou(const std::vector<MaskView>& a, const std::vector<MaskView>& b) {
    return cpu::mask_iou(a, b);
}

}  // namespace edgeseg
