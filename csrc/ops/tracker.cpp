#include "ops/tracker.h"

#include <cmath>

#include "cpu/tracker.h"
#include "ops/checks.h"

namespace edgeseg {
namespace {

void check_time(double time_s) {
    if (!std::isfinite(time_s)) refuse("time_s must be finite, got ", time_s);
}

void check_moment(const Moment& moment) {
    check_time(moment.time_s);
    if (moment.width < 1 || moment.height < 1) {
        refuse("size_px must be 1 or more, got ", moment.width, "x", moment.height);
    }
    const core::ImageView* image = moment.image;
    if (image && (image->width != moment.width || image->height != moment.height)) {
        refuse("image must be of size_px, got ", image->width, "x", image->height);
    }
}

const TrackerOptions& checked(const TrackerOptions& options) {
    if (!(options.conf >= 0.0f && options.conf <= 1.0f)) {
        refuse("conf must be from 0 to 1, got ", options.conf);
    }
    if (!(options.lost_s >= 0.0) || !std::isfinite(options.lost_s)) {
        refuse("lost_s must be 0 or more, got ", options.lost_s);
    }
    if (!(options.period_s > 0.0) || !std::isfinite(options.period_s)) {
        refuse("period_s must be above 0, got ", options.period_s);
    }
    return options;
}

}  // namespace

float tracking_floor(float conf) { return 0.4f * conf; }

Tracker::Tracker(const TrackerOptions& options)
    : tracker_(std::make_unique<cpu::Tracker>(checked(options))) {}

Tracker::~Tracker() = default;

void Tracker::retune(float conf) {
    TrackerOptions options = tracker_->options();
    options.conf = conf;
    tracker_->retune(checked(options));
}

std::vector<TrackedObject> Tracker::update(const ScoredBoxes& found, const Moment& moment,
                                           const MaskOverlaps& masks) {
    check_moment(moment);
    return tracker_->update(found, moment, masks);
}

std::vector<TrackedObject> Tracker::carry(const Moment& moment) {
    check_moment(moment);
    return tracker_->carry(moment);
}

std::vector<TrackedObject> Tracker::predicted(double time_s) const {
    check_time(time_s);
    return tracker_->predicted(time_s);
}

}  // namespace edgeseg
