#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/geometry.h"
#include "core/views.h"
#include "ops/nms.h"

namespace edgeseg {

namespace cpu {
class Tracker;
}

struct TrackerOptions {
    float conf = 0.25f;      // what scores as much is shown, whether it is tracked or not
    double lost_s = 2.0;     // an identity ends when it was not seen for longer
    double period_s = 0.04;  // from frame to frame, where the times do not tell
};

// The lowest score that a tracker of this `conf` can use: in the second stage of the association
// a weak detection keeps an object, but begins none. 0.1 for the default of 0.25, as published.
float tracking_floor(float conf);

// One object of a frame.
struct TrackedObject {
    core::Box box;
    float score;
    std::int32_t class_id;
    std::int32_t id;      // from 1, never given twice; 0: no identity yet
    std::int32_t age;     // frames since it was first seen
    bool carried;         // not detected in this frame
    std::int64_t source;  // row of the detections; -1 when carried
};

// What of a frame the tracker is told besides the detections.
struct Moment {
    double time_s = 0.0;
    int width = 0, height = 0;  // px
    const core::ImageView* image =
        nullptr;  // of that size; only `carry` needs it, and the one before
};

// How alike the masks of some identities and the detections are: float32[ids, detections], row
// after row, from 0 to 1; NaN where one has no mask.
struct MaskOverlaps {
    const std::int32_t* ids = nullptr;
    std::int64_t count = 0;
    const float* iou = nullptr;
};

// Gives objects identities, frame after frame: ByteTrack (Zhang et al., ECCV 2022) with times
// instead of frame counts. docs/TRACKING.md says the rules in full; in short:
//
// - Each object is a box with a speed, kept by a Kalman filter (core/kalman.h) over the time
//   that really passed.
// - Detections of an object's class are assigned to it in two stages, strong ones first, then
//   weak ones to those left over, each stage exactly (ops/assign.h). Then what is left over,
//   whatever its class: one detection of another class does not end an identity, and does not
//   change its class.
// - What scores less than `conf` is left out unless it belongs to an identity.
// - An object that was not detected is carried on while it is more likely there than not.
//
// The result depends on nothing but the calls, and not on the order of the detections. Boxes
// without an area or not finite and scores that are no number are left out. Objects come in the
// strict order: score descending. Not for several threads at once.
class Tracker {
 public:
    // Throws std::invalid_argument when an option is out of range.
    explicit Tracker(const TrackerOptions& options);
    ~Tracker();
    Tracker(const Tracker&) = delete;
    Tracker& operator=(const Tracker&) = delete;

    // Have another `conf` from the next frame on; identities go on. Throws as the constructor.
    void retune(float conf);

    // Take the detections of a frame. Throws std::invalid_argument when the time is not finite or
    // the image is not of the size.
    std::vector<TrackedObject> update(const ScoredBoxes& found, const Moment& moment,
                                      const MaskOverlaps& masks = {});

    // Take a frame that no network has seen: every object is carried, along its speed corrected
    // by what moved in the picture since the last frame, when both had one. Throws as update.
    std::vector<TrackedObject> carry(const Moment& moment);

    // Tell where every identity will be at a time, and change nothing. In the order of the ids.
    std::vector<TrackedObject> predicted(double time_s) const;

 private:
    std::unique_ptr<cpu::Tracker> tracker_;
};

}  // namespace edgeseg
