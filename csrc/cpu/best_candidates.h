#pragma once

#include <cstdint>
#include <vector>

#include "core/geometry.h"
#include "ops/decode.h"

namespace edgeseg::cpu {

// Takes candidates in candidate order and keeps the best `limit` of them, in memory
// for at most twice as many.
class BestCandidates {
 public:
    explicit BestCandidates(std::int64_t limit) : limit_(limit) {}

    void add(const core::Box& box, float score, int class_id);

    Candidates take();

 private:
    struct Entry {
        core::Box box;
        float score;
        int class_id;
        std::int64_t index;
    };

    void prune();

    std::int64_t limit_;
    std::int64_t seen_ = 0;
    float floor_ = -1.0f;  // a later candidate must score above it to be among the best
    std::vector<Entry> entries_;
};

}  // namespace edgeseg::cpu
