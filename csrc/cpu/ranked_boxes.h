#pragma once

#include <cstdint>
#include <vector>

#include "core/geometry.h"
#include "ops/nms.h"

namespace edgeseg::cpu {

struct RankedBox {
    core::Box box;
    float score;
    std::int64_t index;
    int bucket;  // classes, numbered without gaps
};

struct RankedBoxes {
    std::vector<RankedBox> boxes;  // in the strict order
    int buckets;
};

// The boxes that may be kept at all: finite edges, a score that is a number.
RankedBoxes rank(const ScoredBoxes& boxes, bool agnostic);

}  // namespace edgeseg::cpu
