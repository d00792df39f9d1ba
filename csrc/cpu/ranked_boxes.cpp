#include "cpu/ranked_boxes.h"

#include <algorithm>

#include "core/nms.h"

namespace edgeseg::cpu {
namespace {

core::Box box_at(const ScoredBoxes& boxes, std::int64_t i) {
    const float* edges = boxes.boxes + i * boxes.box_stride;
    const std::ptrdiff_t stride = boxes.edge_stride;
    return {edges[0], edges[stride], edges[2 * stride], edges[3 * stride]};
}

// Number the class ids that occur from 0 on.
int number_classes(const ScoredBoxes& boxes, std::vector<RankedBox>& ranked) {
    std::vector<std::int32_t> ids;
    ids.reserve(ranked.size());
    for (const RankedBox& box : ranked) ids.push_back(boxes.class_ids[box.index]);
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    for (RankedBox& box : ranked) {
        const auto at = std::lower_bound(ids.begin(), ids.end(), boxes.class_ids[box.index]);
        box.bucket = static_cast<int>(at - ids.begin());
    }
    return static_cast<int>(ids.size());
}

}  // namespace

RankedBoxes rank(const ScoredBoxes& boxes, bool agnostic) {
    struct Key {
        float score;
        std::int64_t index;
    };
    std::vector<Key> keys;
    keys.reserve(static_cast<std::size_t>(boxes.count));
    for (std::int64_t i = 0; i < boxes.count; ++i) {
        const float score = boxes.scores[i];
        if (!core::is_nan(score) && core::is_finite(box_at(boxes, i))) keys.push_back({score, i});
    }
    std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
        return core::before(a.score, a.index, b.score, b.index);
    });
    RankedBoxes ranked;
    ranked.boxes.reserve(keys.size());
    for (const Key& key : keys) {
        ranked.boxes.push_back({box_at(boxes, key.index), key.score, key.index, 0});
    }
    ranked.buckets = agnostic ? 1 : number_classes(boxes, ranked.boxes);
    return ranked;
}

}  // namespace edgeseg::cpu
