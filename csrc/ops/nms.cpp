#include "ops/nms.h"

#include "core/math.h"
#include "cpu/nms.h"
#include "ops/checks.h"

namespace edgeseg {
namespace {

constexpr std::int64_t kMaxBoxes = std::int64_t{1} << 31;

void check_count(const ScoredBoxes& boxes) {
    if (boxes.count > kMaxBoxes) {
        refuse("boxes must be at most ", kMaxBoxes, ", got ", boxes.count);
    }
}

void check_limit(std::int64_t max_detections) {
    if (max_detections < 1) refuse("max_detections must be 1 or more, got ", max_detections);
}

}  // namespace

std::vector<std::int64_t> nms(Device device, const ScoredBoxes& boxes, const NmsOptions& options) {
    if (!(options.iou >= 0.0f && options.iou <= 1.0f)) {
        refuse("iou must be from 0 to 1, got ", options.iou);
    }
    check_count(boxes);
    check_limit(options.max_detections);
    if (device != Device::kCpu) refuse_device("nms", device);
    return cpu::nms(boxes, options);
}

SoftNmsResult soft_nms(Device device, const ScoredBoxes& boxes, const SoftNmsOptions& options) {
    if (!(options.sigma > 0.0f) || !core::is_finite(options.sigma)) {
        refuse("sigma must be above 0, got ", options.sigma);
    }
    if (!(options.min_score >= 0.0f && options.min_score <= 1.0f)) {
        refuse("min_score must be from 0 to 1, got ", options.min_score);
    }
    check_count(boxes);
    check_limit(options.max_detections);
    if (device != Device::kCpu) refuse_device("soft_nms", device);
    return cpu::soft_nms(boxes, options);
}

}  // namespace edgeseg
