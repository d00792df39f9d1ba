#include "cpu/nms.h"

#include "core/nms.h"
#include "cpu/ranked_boxes.h"

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

// The kept boxes of one class, an array for each edge and in whole blocks, so that the
// compiler compares a block at once.
class KeptBoxes {
 public:
    void add(const core::Box& box, float area) {
        // An empty box overlaps nothing: the unused rest of a block is never hit.
        if (count_ % kBlock == 0) blocks_.push_back({});
        Block& block = blocks_.back();
        const std::size_t i = count_++ % kBlock;
        block.left[i] = box.left;
        block.top[i] = box.top;
        block.right[i] = box.right;
        block.bottom[i] = box.bottom;
        block.area[i] = area;
    }

    template <typename Measure>
    bool overlap(const core::Box& box, float area, float limit, const Measure& measure) const {
        for (const Block& block : blocks_) {
            int hits = 0;
            for (std::size_t i = 0; i < kBlock; ++i) {
                const core::Box kept = {block.left[i], block.top[i], block.right[i],
                                        block.bottom[i]};
                hits |= measure(box, area, kept, block.area[i]) > limit ? 1 : 0;
            }
            if (hits) return true;
        }
        return false;
    }

 private:
    struct Block {
        float left[kBlock], top[kBlock], right[kBlock], bottom[kBlock], area[kBlock];
    };

    std::vector<Block> blocks_;
    std::size_t count_ = 0;
};

template <typename Measure>
std::vector<std::int64_t> choose(const RankedBoxes& ranked, const NmsOptions& options,
                                 const Measure& measure) {
    std::vector<KeptBoxes> kept(static_cast<std::size_t>(ranked.buckets));
    std::vector<std::int64_t> indices;
    for (const RankedBox& candidate : ranked.boxes) {
        KeptBoxes& rivals = kept[static_cast<std::size_t>(candidate.bucket)];
        const float area = core::area(candidate.box);
        if (rivals.overlap(candidate.box, area, options.iou, measure)) continue;
        indices.push_back(candidate.index);
        if (static_cast<std::int64_t>(indices.size()) == options.max_detections) break;
        rivals.add(candidate.box, area);
    }
    return indices;
}

}  // namespace

std::vector<std::int64_t> nms(const ScoredBoxes& boxes, const NmsOptions& options) {
    const RankedBoxes ranked = rank(boxes, options.agnostic);
    return options.overlap == Overlap::kDiou ? choose(ranked, options, Diou{})
                                             : choose(ranked, options, Iou{});
}

}  // namespace edgeseg::cpu
