#include <algorithm>

#include "core/nms.h"
#include "cpu/nms.h"
#include "cpu/ranked_boxes.h"

namespace edgeseg::cpu {
namespace {

struct Pick {
    float score;
    std::int64_t index;
};

bool first_of(const Pick& a, const Pick& b) {
    return core::before(a.score, a.index, b.score, b.index);
}

// Soften what overlaps `best`, drop what fell below the least score, and give the place of
// the next best; the place one past the end when none is left.
std::size_t soften_others(std::vector<RankedBox>& boxes, const RankedBox& best,
                          const SoftNmsOptions& options) {
    const float best_area = core::area(best.box);
    std::size_t left = 0;
    std::size_t next = 0;
    for (const RankedBox& other : boxes) {
        RankedBox softened = other;
        const float overlap = core::iou(best.box, best_area, other.box, core::area(other.box));
        softened.score = core::soften(other.score, overlap, options.sigma);
        if (!(softened.score >= options.min_score)) continue;
        boxes[left] = softened;
        if (core::before(softened.score, softened.index, boxes[next].score, boxes[next].index)) {
            next = left;
        }
        ++left;
    }
    boxes.resize(left);
    return next;
}

// The picks of one class, whose boxes come in the strict order.
void pick_class(std::vector<RankedBox>& boxes, const SoftNmsOptions& options,
                std::vector<Pick>& picks) {
    std::size_t next = 0;
    for (std::int64_t i = 0; i < options.max_detections && !boxes.empty(); ++i) {
        const RankedBox best = boxes[next];
        picks.push_back({best.score, best.index});
        boxes[next] = boxes.back();
        boxes.pop_back();
        next = soften_others(boxes, best, options);
    }
}

}  // namespace

SoftNmsResult soft_nms(const ScoredBoxes& boxes, const SoftNmsOptions& options) {
    const RankedBoxes ranked = rank(boxes, options.agnostic);
    std::vector<std::vector<RankedBox>> classes(static_cast<std::size_t>(ranked.buckets));
    for (const RankedBox& box : ranked.boxes) {
        if (box.score >= options.min_score)
            classes[static_cast<std::size_t>(box.bucket)].push_back(box);
    }
    std::vector<Pick> picks;
    for (std::vector<RankedBox>& members : classes) pick_class(members, options, picks);
    std::sort(picks.begin(), picks.end(), first_of);
    if (static_cast<std::int64_t>(picks.size()) > options.max_detections) {
        picks.resize(static_cast<std::size_t>(options.max_detections));
    }
    SoftNmsResult result;
    for (const Pick& pick : picks) {
        result.indices.push_back(pick.index);
        result.scores.push_back(pick.score);
    }
    return result;
}

}  // namespace edgeseg::cpu
