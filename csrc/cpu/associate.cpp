#include <algorithm>
#include <numeric>

#include "core/nms.h"
#include "cpu/assign.h"
#include "cpu/tracker.h"

namespace edgeseg::cpu {
namespace {

// The overlap (IoU) that a pair must exceed. 0.2 is published for the first stage; in the second
// a weak detection must fit better than a strong one, as it does there (0.5).
constexpr double kStrongGate = 0.2;
constexpr double kWeakGate = 0.4;
constexpr double kNewGate = 0.3;
constexpr double kOtherClassGate = 0.5;
// Strong is what scores so much more than `conf`.
constexpr float kStrongAbove = 0.15f;
constexpr double kMaskWeight = 0.5;

core::Box grown(const core::Box& box, double x, double y) {
    return {static_cast<float>(box.left - x), static_cast<float>(box.top - y),
            static_cast<float>(box.right + x), static_cast<float>(box.bottom + y)};
}

struct Stage {
    bool with_identity, without_identity;
    float from, below;  // scores
    bool same_class;
    double gate;
};

class Matching {
 public:
    Matching(const std::vector<Track>& tracks, const std::vector<Sighting>& sightings,
             const MaskTable& masks)
        : tracks_(tracks), sightings_(sightings), masks_(masks) {
        done_.sighting_of.assign(tracks.size(), -1);
        done_.track_of.assign(sightings.size(), -1);
    }

    void run(const Stage& stage) {
        std::vector<WeightedPair> pairs;
        for (std::size_t row = 0; row < tracks_.size(); ++row) {
            const Track& track = tracks_[row];
            const bool wanted = track.id > 0 ? stage.with_identity : stage.without_identity;
            if (wanted && done_.sighting_of[row] < 0)
                add_pairs(static_cast<int>(row), stage, pairs);
        }
        const std::vector<int> chosen =
            assign(pairs, static_cast<int>(tracks_.size()), static_cast<int>(sightings_.size()));
        for (std::size_t row = 0; row < chosen.size(); ++row) {
            if (chosen[row] < 0) continue;
            done_.sighting_of[row] = chosen[row];
            done_.track_of[chosen[row]] = static_cast<int>(row);
        }
    }
    Association result() && { return std::move(done_); }

 private:
    // Both boxes are grown by what the track's place is uncertain, so that one that moved
    // unseen, or whose speed is not known yet, is found again.
    void add_pairs(int row, const Stage& stage, std::vector<WeightedPair>& pairs) const {
        const Track& track = tracks_[row];
        const double x = track.margin_x(), y = track.margin_y();
        const core::Box box = grown(track.box(), x, y);
        const float area = core::area(box);
        for (std::size_t column = 0; column < sightings_.size(); ++column) {
            const Sighting& sighting = sightings_[column];
            if (done_.track_of[column] >= 0) continue;
            if (sighting.score < stage.from || sighting.score >= stage.below) continue;
            if (stage.same_class && sighting.class_id != track.class_id()) continue;
            const core::Box other = grown(sighting.box, x, y);
            double overlap = core::iou(box, area, other, core::area(other));
            if (!(overlap > 0.0)) continue;
            overlap = with_masks(overlap, row, static_cast<int>(column));
            if (overlap > stage.gate) {
                pairs.push_back({row, static_cast<int>(column), overlap - stage.gate});
            }
        }
    }
    double with_masks(double overlap, int row, int column) const {
        if (masks_.empty() || masks_[row].empty()) return overlap;
        const float masks = masks_[row][column];
        if (!(masks >= 0.0f)) return overlap;
        return (1.0 - kMaskWeight) * overlap + kMaskWeight * masks;
    }

    const std::vector<Track>& tracks_;
    const std::vector<Sighting>& sightings_;
    const MaskTable& masks_;
    Association done_;
};

}  // namespace

Association associate(const std::vector<Track>& tracks, const std::vector<Sighting>& sightings,
                      const MaskTable& masks, float conf) {
    const float strong = conf + kStrongAbove, any = 2.0f;
    Matching matching(tracks, sightings, masks);
    matching.run({true, false, strong, any, true, kStrongGate});
    matching.run({true, false, 0.0f, strong, true, kWeakGate});
    matching.run({false, true, 0.0f, any, true, kNewGate});
    matching.run({true, true, 0.0f, any, false, kOtherClassGate});
    return std::move(matching).result();
}

}  // namespace edgeseg::cpu
