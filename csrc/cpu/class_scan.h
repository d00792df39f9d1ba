#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>

namespace edgeseg::cpu {

// Adjacent cells looked at together: a cache line of each plane.
constexpr int kLanes = 16;

// The cells of a block that are worth a look at their classes.
struct Cells {
    int count = 0;
    int lane[kLanes];          // where the cell is in the block
    float objectness[kLanes];  // its probability
    float floor[kLanes];       // no class with a raw value up to this is a candidate
};

// Of each lane of a block: the classes found and their raw values, in class order.
class ClassHits {
 public:
    explicit ClassHits(int classes)
        : classes_(classes),
          room_(static_cast<std::size_t>(classes) + 4),
          values_(new float[kLanes * room_]),
          class_ids_(new int[kLanes * room_]) {}

    int classes() const { return classes_; }

    int count(int lane) const { return counts_[lane]; }
    float* values(int lane) { return values_.get() + lane * room_; }
    int* class_ids(int lane) { return class_ids_.get() + lane * room_; }

    void clear() { std::fill_n(counts_, kLanes, 0); }

    // Kept only if `hit`: without a branch, as there is no telling.
    void add(int lane, int class_id, float value, bool hit) {
        const int at = counts_[lane];
        values(lane)[at] = value;
        class_ids(lane)[at] = class_id;
        counts_[lane] = at + (hit ? 1 : 0);
    }

 private:
    int classes_;
    std::size_t room_;  // of a lane: some to spare, where what is not kept is written
    std::unique_ptr<float[]> values_;
    std::unique_ptr<int[]> class_ids_;
    int counts_[kLanes] = {};
};

// Find in each of `cells` the classes whose raw value is above the cell's floor; only the
// first of the highest if not `every`. The classes of the block's first cell begin at
// `classes`, `stride` from plane to plane. NaN is never a hit.
void find_hits(const float* classes, std::ptrdiff_t stride, bool every, const Cells& cells,
               ClassHits& hits);

}  // namespace edgeseg::cpu
