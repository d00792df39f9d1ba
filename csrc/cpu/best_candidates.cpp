#include "cpu/best_candidates.h"

#include <algorithm>

#include "core/nms.h"

namespace edgeseg::cpu {

void BestCandidates::add(const core::Box& box, float score, int class_id) {
    const std::int64_t index = seen_++;
    if (!(score > floor_)) return;
    entries_.push_back({box, score, class_id, index});
    if (static_cast<std::int64_t>(entries_.size()) / 2 >= limit_) prune();
}

void BestCandidates::prune() {
    if (static_cast<std::int64_t>(entries_.size()) <= limit_) return;
    const auto worst = entries_.begin() + (limit_ - 1);
    std::nth_element(entries_.begin(), worst, entries_.end(), [](const Entry& a, const Entry& b) {
        return core::before(a.score, a.index, b.score, b.index);
    });
    floor_ = worst->score;
    entries_.resize(static_cast<std::size_t>(limit_));
}

Candidates BestCandidates::take() {
    prune();
    if (seen_ > limit_) {
        std::sort(entries_.begin(), entries_.end(),
                  [](const Entry& a, const Entry& b) { return a.index < b.index; });
    }
    Candidates best;
    best.boxes_net.reserve(entries_.size());
    best.scores.reserve(entries_.size());
    best.class_ids.reserve(entries_.size());
    for (const Entry& entry : entries_) {
        best.boxes_net.push_back(entry.box);
        best.scores.push_back(entry.score);
        best.class_ids.push_back(entry.class_id);
    }
    return best;
}

}  // namespace edgeseg::cpu
