#include "cpu/nms.h"

#include <memory>
#include <utility>
#include <vector>

#include "core/nms.h"
#include "cpu/ranked_boxes.h"
#include "cpu/simd.h"

namespace edgeseg::cpu {
namespace {

constexpr std::size_t kBlock = 8;

struct Iou {
    float operator()(const core::Box& a, float area_a, const core::Box& b, float area_b) const {
        return core::iou(a, area_a, b, area_b);
    }
};

struct Diou {
    float operator()(const core::Box& a, float area_a, const core::Box& b, float area_b) const {
        return core::diou(a, area_a, b, area_b);
    }
};

// An array for each edge, so that the compiler compares a block at once.
struct Block {
    float left[kBlock], top[kBlock], right[kBlock], bottom[kBlock], area[kBlock];

    template <typename Measure>
    [[gnu::always_inline]] bool overlaps(const core::Box& box, float box_area, float limit,
                                         const Measure& measure) const {
        int hits = 0;
        for (std::size_t i = 0; i < kBlock; ++i) {
            const core::Box kept = {left[i], top[i], right[i], bottom[i]};
            hits |= measure(box, box_area, kept, area[i]) > limit ? 1 : 0;
        }
        return hits != 0;
    }
};

// The kept boxes of each class, in whole blocks.
class KeptBoxes {
 public:
    explicit KeptBoxes(const RankedBoxes& ranked) : buckets_(ranked.buckets) {
        for (const RankedBox& box : ranked.boxes) ++buckets_[box.bucket].first;
        std::size_t first = 0;
        for (Bucket& bucket : buckets_) {
            first += (std::exchange(bucket.first, first) + kBlock - 1) / kBlock;
        }
        blocks_.reset(new Block[first]);
    }

    const Block* begin(int bucket) const { return blocks_.get() + buckets_[bucket].first; }
    const Block* end(int bucket) const {
        return begin(bucket) + (buckets_[bucket].count + kBlock - 1) / kBlock;
    }

    void add(int number, const core::Box& box, float area) {
        Bucket& bucket = buckets_[number];
        Block& block = blocks_[bucket.first + bucket.count / kBlock];
        const std::size_t i = bucket.count++ % kBlock;
        // An empty box overlaps nothing: the unused rest of a block is never hit.
        if (i == 0) block = {};
        block.left[i] = box.left;
        block.top[i] = box.top;
        block.right[i] = box.right;
        block.bottom[i] = box.bottom;
        block.area[i] = area;
    }

 private:
    struct Bucket {
        std::size_t first = 0, count = 0;  // block, boxes
    };

    std::vector<Bucket> buckets_;
    std::unique_ptr<Block[]> blocks_;
};

using Indices = std::vector<std::int64_t>;

template <typename Measure>
[[gnu::always_inline]] inline Indices choose(const RankedBoxes& ranked, const NmsOptions& options,
                                             const Measure& measure) {
    KeptBoxes kept(ranked);
    Indices indices;
    for (const RankedBox& candidate : ranked.boxes) {
        const float area = core::area(candidate.box);
        const Block* block = kept.begin(candidate.bucket);
        const Block* end = kept.end(candidate.bucket);
        while (block != end && !block->overlaps(candidate.box, area, options.iou, measure)) ++block;
        if (block != end) continue;
        indices.push_back(candidate.index);
        if (static_cast<std::int64_t>(indices.size()) == options.max_detections) break;
        kept.add(candidate.bucket, candidate.box, area);
    }
    return indices;
}

template <typename Measure>
Indices choose_baseline(const RankedBoxes& ranked, const NmsOptions& options) {
    return choose(ranked, options, Measure{});
}

#if defined(__x86_64__)
// The same, a block in a register.
template <typename Measure>
__attribute__((target("avx2"))) Indices choose_avx2(const RankedBoxes& ranked,
                                                    const NmsOptions& options) {
    return choose(ranked, options, Measure{});
}
#endif

template <typename Measure>
Indices choose_best(const RankedBoxes& ranked, const NmsOptions& options) {
#if defined(__x86_64__)
    if (best_simd_level() == SimdLevel::kAvx2) return choose_avx2<Measure>(ranked, options);
#endif
    return choose_baseline<Measure>(ranked, options);
}

}  // namespace

std::vector<std::int64_t> nms(const ScoredBoxes& boxes, const NmsOptions& options) {
    const RankedBoxes ranked = rank(boxes, options.agnostic);
    return options.overlap == Overlap::kDiou ? choose_best<Diou>(ranked, options)
                                             : choose_best<Iou>(ranked, options);
}

}  // namespace edgeseg::cpu
