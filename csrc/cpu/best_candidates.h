#pragma once

#include <cstdint>

#include "core/geometry.h"
#include "ops/decode.h"

namespace edgeseg::cpu {

// Takes candidates in candidate order and keeps the best `limit` of those that score above
// `conf`, in memory for at most twice as many.
class BestCandidates {
 public:
    BestCandidates(std::int64_t limit, float conf) : limit_(limit), floor_(conf) {}

    // A candidate must score above this to be taken. It rises when too many were.
    float floor() const { return floor_; }

    void add(const core::Box& box, float score, int class_id);

    Candidates take();

 private:
    void prune();

    std::int64_t limit_;
    float floor_;
    Candidates best_;
};

}  // namespace edgeseg::cpu
