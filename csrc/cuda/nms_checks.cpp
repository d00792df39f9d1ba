#include "cuda/nms_checks.h"

#include <cstdint>

#include "core/math.h"
#include "ops/checks.h"

namespace edgeseg::cuda {
namespace {

constexpr int kMaxCapacity = 1 << 28;

void check_memory(const void* pointer, std::uintptr_t alignment, const char* name) {
    const auto address = reinterpret_cast<std::uintptr_t>(pointer);
    if (address == 0 || address % alignment != 0) {
        refuse(name, " must be device memory aligned to ", alignment, " bytes, got pointer ",
               address);
    }
}

void check_map(const core::SourceMap& map) {
    const bool finite = core::is_finite(map.x) && core::is_finite(map.y) &&
                        core::is_finite(map.scale_x) && core::is_finite(map.scale_y);
    if (!finite || map.scale_x < 0.0f || map.scale_y < 0.0f ||
        (map.scale_x == 0.0f) != (map.scale_y == 0.0f)) {
        refuse("to_source must be finite with scales above 0");
    }
}

}  // namespace

void check_sizes(const NmsJob& job) {
    if (job.candidates.capacity < 0 || job.candidates.capacity > kMaxCapacity) {
        refuse("capacity must be from 0 to ", kMaxCapacity, ", got ", job.candidates.capacity);
    }
    if (job.max_candidates < 1 || job.max_candidates > kMaxRanked) {
        refuse("max_candidates must be 1 to ", kMaxRanked, ", got ", job.max_candidates);
    }
    if (job.max_detections < 1 || job.max_detections > kMaxRanked) {
        refuse("max_detections must be 1 to ", kMaxRanked, ", got ", job.max_detections);
    }
    if (!(job.rule.limit >= 0.0f && job.rule.limit <= 1.0f)) {
        refuse("iou must be from 0 to 1, got ", job.rule.limit);
    }
}

void check_job(const NmsJob& job) {
    check_sizes(job);
    check_map(job.map);
    check_memory(job.out, 16, "out");
    if (job.candidates.capacity == 0) return;
    check_memory(job.candidates.boxes, 16, "boxes");
    check_memory(job.candidates.scores, 4, "scores");
    check_memory(job.candidates.class_ids, 4, "class_ids");
    if (reinterpret_cast<std::uintptr_t>(job.candidates.count) % 4 != 0) {
        refuse("count must be aligned to 4 bytes");
    }
}

}  // namespace edgeseg::cuda
