#include "cpu/best_candidates.h"

#include <cstring>
#include <utility>

namespace edgeseg::cpu {
namespace {

std::uint32_t bits_of(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

// The n-th highest of numbers above 0, whose bits rise as they do: found digit by digit,
// by counting.
float nth_highest(const std::vector<float>& values, std::int64_t n) {
    constexpr int kDigit = 11;
    std::uint64_t prefix = 0;
    for (int shift = 2 * kDigit; shift >= 0; shift -= kDigit) {
        std::int64_t counts[1 << kDigit] = {};
        for (const float value : values) {
            const std::uint64_t digits = std::uint64_t{bits_of(value)} >> shift;
            if (digits >> kDigit == prefix) ++counts[digits & ((1 << kDigit) - 1)];
        }
        int digit = (1 << kDigit) - 1;
        for (; counts[digit] < n; --digit) n -= counts[digit];
        prefix = (prefix << kDigit) | static_cast<std::uint64_t>(digit);
    }
    const auto bits = static_cast<std::uint32_t>(prefix);
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

}  // namespace

void BestCandidates::add(const core::Box& box, float score, int class_id) {
    if (!(score > floor_)) return;
    best_.boxes_net.push_back(box);
    best_.scores.push_back(score);
    best_.class_ids.push_back(class_id);
    if (static_cast<std::int64_t>(best_.scores.size()) / 2 >= limit_) prune();
}

void BestCandidates::prune() {
    const auto count = static_cast<std::int64_t>(best_.scores.size());
    if (count <= limit_) return;
    floor_ = nth_highest(best_.scores, limit_);
    std::int64_t ties = limit_;
    for (const float score : best_.scores) ties -= score > floor_ ? 1 : 0;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < best_.scores.size(); ++i) {
        // Copied in any case: there is no telling which stay, a branch would be mispredicted.
        const float score = best_.scores[i];
        best_.boxes_net[kept] = best_.boxes_net[i];
        best_.scores[kept] = score;
        best_.class_ids[kept] = best_.class_ids[i];
        const int tie = score == floor_ ? 1 : 0;
        kept += (score > floor_ ? 1 : 0) | (tie & (ties > 0 ? 1 : 0));
        ties -= tie;
    }
    best_.boxes_net.resize(kept);
    best_.scores.resize(kept);
    best_.class_ids.resize(kept);
}

Candidates BestCandidates::take() {
    prune();
    return std::move(best_);
}

}  // namespace edgeseg::cpu
