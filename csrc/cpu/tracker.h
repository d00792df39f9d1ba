#pragma once

#include <vector>

#include "cpu/track.h"
#include "ops/motion.h"
#include "ops/tracker.h"

namespace edgeseg::cpu {

// The masks' part of the association, by track and detection.
using MaskTable = std::vector<std::vector<float>>;

// Which track each detection belongs to, and the other way round; -1: none.
struct Association {
    std::vector<int> sighting_of, track_of;
};

// Assign detections (in the strict order) to tracks: the stages of docs/TRACKING.md.
// `masks` holds a row for each track: empty, or the mask overlap with each detection.
Association associate(const std::vector<Track>& tracks, const std::vector<Sighting>& sightings,
                      const MaskTable& masks, float conf);

// edgeseg::Tracker; arguments are checked.
class Tracker {
 public:
    explicit Tracker(const TrackerOptions& options) : options_(options) {}

    const TrackerOptions& options() const { return options_; }
    void retune(const TrackerOptions& options) { options_ = options; }
    std::vector<TrackedObject> update(const ScoredBoxes& found, const Moment& moment,
                                      const MaskOverlaps& masks);
    std::vector<TrackedObject> carry(const Moment& moment);
    std::vector<TrackedObject> predicted(double time_s) const;

 private:
    double advance_clock(double time_s);
    void look(const core::ImageView* image);
    void follow_motion(double dt);
    bool is_covered(const Track& track) const;
    std::vector<Sighting> usable(const ScoredBoxes& found) const;
    MaskTable mask_table(const MaskOverlaps& masks, const std::vector<Sighting>& sightings,
                         std::int64_t columns) const;
    void begin_tracks(const std::vector<Sighting>& sightings, Association& matched);
    void give_identities();
    void end_tracks(const Moment& moment);

    TrackerOptions options_;
    std::vector<Track> tracks_;  // in the order of their birth
    std::int32_t last_id_ = 0;
    double time_s_ = 0.0;   // the caller's, of the last frame
    double clock_s_ = 0.0;  // ours: it never runs back
    bool started_ = false;
    GreyPicture before_, now_;
    bool has_before_ = false, has_now_ = false;
};

}  // namespace edgeseg::cpu
