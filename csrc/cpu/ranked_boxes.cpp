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

// Sort keys of rank_key() that come in the order of their indices.
void sort_keys(std::vector<std::uint64_t>& keys) {
    constexpr std::size_t kFew = 256;  // below, counting costs more than comparing
    if (keys.size() < kFew) {
        std::sort(keys.begin(), keys.end());
        return;
    }
    // Digit by digit of the score, the lowest first; what is equal keeps its order.
    constexpr int kDigit = 11;
    std::vector<std::uint64_t> sorted(keys.size());
    for (int shift = 32; shift < 64; shift += kDigit) {
        const auto digit = [shift](std::uint64_t key) {
            return (key >> shift) & ((1u << kDigit) - 1);
        };
        std::uint32_t starts[(1 << kDigit) + 1] = {};
        for (const std::uint64_t key : keys) ++starts[digit(key) + 1];
        for (int i = 0; i < 1 << kDigit; ++i) starts[i + 1] += starts[i];
        for (const std::uint64_t key : keys) sorted[starts[digit(key)]++] = key;
        keys.swap(sorted);
    }
}

// Class ids so close together number their buckets themselves.
constexpr std::int64_t kMaxSpread = 4096;

// Number the class ids that occur from 0 on; give how many numbers there are.
int number_classes(const ScoredBoxes& boxes, std::vector<RankedBox>& ranked) {
    if (ranked.empty()) return 0;
    std::vector<std::int32_t> ids;
    ids.reserve(ranked.size());
    for (const RankedBox& box : ranked) ids.push_back(boxes.class_ids[box.index]);
    const auto [lowest, highest] = std::minmax_element(ids.begin(), ids.end());
    const std::int64_t first = *lowest;
    const std::int64_t spread = *highest - first;
    if (spread < kMaxSpread) {
        for (std::size_t i = 0; i < ids.size(); ++i) {
            ranked[i].bucket = static_cast<int>(ids[i] - first);
        }
        return static_cast<int>(spread) + 1;
    }
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
    std::vector<std::uint64_t> keys;
    keys.reserve(static_cast<std::size_t>(boxes.count));
    for (std::int64_t i = 0; i < boxes.count; ++i) {
        const float score = boxes.scores[i];
        if (core::is_nan(score) || !core::is_finite(box_at(boxes, i))) continue;
        keys.push_back(core::rank_key(score, static_cast<std::uint32_t>(i)));
    }
    sort_keys(keys);
    RankedBoxes ranked;
    ranked.boxes.reserve(keys.size());
    for (const std::uint64_t key : keys) {
        const std::int64_t i = static_cast<std::uint32_t>(key);
        ranked.boxes.push_back({box_at(boxes, i), boxes.scores[i], i, 0});
    }
    ranked.buckets = agnostic ? 1 : number_classes(boxes, ranked.boxes);
    return ranked;
}

}  // namespace edgeseg::cpu
