#include "cpu/tracker.h"

#include <algorithm>
#include <cmath>

#include "core/nms.h"
#include "cpu/motion.h"

namespace edgeseg::cpu {
namespace {

// An identity needs a mean score so far up the way from `conf` to 1, or one detection that is
// surer still: a lasting weak detection is most often a lasting mistake, however often it is
// repeated.
constexpr float kMeanUp = 0.4f;
constexpr float kBestUp = 0.65f;
// A box that covers another by more is a second sight of the same object.
constexpr float kSameObject = 0.7f;

// Motion in the picture.
constexpr int kGreySide = 480;             // px at most
constexpr double kShiftNoise = 1.0;        // shrunken px
constexpr double kShiftNoiseSides = 0.03;  // the background in the box pulls
constexpr double kReach = 0.15;            // of the longer side, beyond what the speed tells
constexpr double kLeastReach = 3.0, kMostReach = 8.0;
constexpr float kCovered = 0.3f;  // of the box by another

bool strictly_before(const TrackedObject& a, const TrackedObject& b) {
    if (a.score != b.score) return a.score > b.score;
    if (a.carried != b.carried) return b.carried;
    return a.id < b.id;
}

TrackedObject detected(const Track& track, const Sighting& sighting) {
    return {sighting.box, sighting.score, track.class_id(), track.id,
            track.age,    false,          sighting.source};
}

TrackedObject carried(const Track& track) {
    return {track.box(), track.score(), track.class_id(), track.id, track.age, true, -1};
}

float raised(float conf, float share) { return conf + share * (1.0f - conf); }

bool deserves_identity(const Track& track, float conf) {
    return track.missed() == 0 && track.proven() &&
           (track.mean_score() >= raised(conf, kMeanUp) ||
            track.best_score() >= raised(conf, kBestUp));
}

}  // namespace

std::vector<TrackedObject> Tracker::update(const ScoredBoxes& found, const Moment& moment,
                                           const MaskOverlaps& masks) {
    const double dt = advance_clock(moment.time_s);
    look(moment.image);
    for (Track& track : tracks_) track.advance(dt);
    const std::vector<Sighting> sightings = usable(found);
    const MaskTable table = mask_table(masks, sightings, found.count);
    Association matched = associate(tracks_, sightings, table, options_.conf);
    for (std::size_t row = 0; row < tracks_.size(); ++row) {
        const int sighting = matched.sighting_of[row];
        if (sighting < 0) {
            tracks_[row].miss();
        } else {
            tracks_[row].see(sightings[sighting], clock_s_);
        }
    }
    begin_tracks(sightings, matched);
    give_identities();
    std::vector<TrackedObject> objects;
    for (std::size_t row = 0; row < tracks_.size(); ++row) {
        const Track& track = tracks_[row];
        const int sighting = matched.sighting_of[row];
        if (sighting >= 0) {
            const bool shown = track.id > 0 || sightings[sighting].score >= options_.conf;
            if (shown) objects.push_back(detected(track, sightings[sighting]));
        } else if (track.id > 0 && track.likely() && track.is_inside(moment.width, moment.height)) {
            objects.push_back(carried(track));
        }
    }
    end_tracks(moment);
    std::sort(objects.begin(), objects.end(), strictly_before);
    return objects;
}

std::vector<TrackedObject> Tracker::carry(const Moment& moment) {
    const double dt = advance_clock(moment.time_s);
    look(moment.image);
    follow_motion(dt);
    std::vector<TrackedObject> objects;
    for (Track& track : tracks_) {
        track.advance(dt);
        const bool shown =
            track.id > 0 ? track.likely() : track.missed() == 0 && track.score() >= options_.conf;
        if (shown && track.is_inside(moment.width, moment.height)) {
            objects.push_back(carried(track));
        }
    }
    std::sort(objects.begin(), objects.end(), strictly_before);
    return objects;
}

std::vector<TrackedObject> Tracker::predicted(double time_s) const {
    const double passed = time_s - time_s_;
    const double dt = passed > 0.0 ? passed : options_.period_s;
    std::vector<TrackedObject> objects;
    for (Track track : tracks_) {
        if (track.id == 0) continue;
        track.advance(dt);
        objects.push_back(carried(track));
    }
    std::sort(objects.begin(), objects.end(),
              [](const TrackedObject& a, const TrackedObject& b) { return a.id < b.id; });
    return objects;
}

// Give the seconds since the last frame; where the times stand or run back, the usual ones.
double Tracker::advance_clock(double time_s) {
    const double passed = time_s - time_s_;
    const double dt = started_ && passed > 0.0 ? passed : options_.period_s;
    started_ = true;
    time_s_ = time_s;
    clock_s_ += dt;
    for (Track& track : tracks_) ++track.age;
    return dt;
}

void Tracker::look(const core::ImageView* image) {
    std::swap(before_, now_);
    has_before_ = has_now_;
    has_now_ = image != nullptr;
    if (!image) return;
    const int longer = std::max(image->width, image->height);
    cpu::shrink_grey(*image, std::min((longer + kGreySide - 1) / kGreySide, 256), now_);
    has_before_ = has_before_ && before_.width == now_.width && before_.height == now_.height &&
                  before_.factor == now_.factor;
}

// Only objects that the last look found and no other covers: where one is hidden, the picture
// shows what hides it.
void Tracker::follow_motion(double dt) {
    if (!has_before_ || !has_now_) return;
    const double factor = now_.factor;
    std::vector<Shift> shifts(tracks_.size());
    for (std::size_t row = 0; row < tracks_.size(); ++row) {
        const Track& track = tracks_[row];
        if (track.missed() > 0 || is_covered(track)) continue;
        const core::Box box = track.box();
        const double longer = std::max(box.right - box.left, box.bottom - box.top);
        const double reach = std::clamp(kReach * longer / factor + 2.0, kLeastReach, kMostReach);
        const Shift guess = {true, track.speed_x() * dt, track.speed_y() * dt};
        shifts[row] = cpu::find_shift(before_, now_, box, guess, static_cast<int>(reach));
    }
    for (std::size_t row = 0; row < tracks_.size(); ++row) {
        const Shift& shift = shifts[row];
        if (!shift.found) continue;
        const double noise = kShiftNoise * factor + kShiftNoiseSides * tracks_[row].side();
        tracks_[row].observe_speed(shift.x / dt, shift.y / dt, noise / dt);
    }
}

bool Tracker::is_covered(const Track& track) const {
    const core::Box box = track.box();
    return std::any_of(tracks_.begin(), tracks_.end(), [&](const Track& other) {
        if (&other == &track || other.missed() > 3) return false;
        const core::Box by = other.box();
        const core::Box both = {core::greater(box.left, by.left), core::greater(box.top, by.top),
                                core::lesser(box.right, by.right),
                                core::lesser(box.bottom, by.bottom)};
        return core::area(both) > kCovered * core::area(box);
    });
}

std::vector<Sighting> Tracker::usable(const ScoredBoxes& found) const {
    std::vector<Sighting> sightings;
    sightings.reserve(static_cast<std::size_t>(found.count));
    const float floor = tracking_floor(options_.conf);
    for (std::int64_t row = 0; row < found.count; ++row) {
        const float* edges = found.boxes + row * found.box_stride;
        const std::ptrdiff_t step = found.edge_stride;
        const core::Box box = {edges[0], edges[step], edges[2 * step], edges[3 * step]};
        const float score = found.scores[row];
        if (!core::is_finite(box) || !(score >= floor) || !(core::area(box) > 0.0f)) continue;
        sightings.push_back({box, score, found.class_ids[row], row});
    }
    std::sort(sightings.begin(), sightings.end(), before);
    return sightings;
}

MaskTable Tracker::mask_table(const MaskOverlaps& masks, const std::vector<Sighting>& sightings,
                              std::int64_t columns) const {
    if (masks.count == 0) return {};
    MaskTable table(tracks_.size());
    for (std::size_t row = 0; row < tracks_.size(); ++row) {
        const auto* end = masks.ids + masks.count;
        const auto* place = std::find(masks.ids, end, tracks_[row].id);
        if (tracks_[row].id == 0 || place == end) continue;
        const float* overlaps = masks.iou + (place - masks.ids) * columns;
        for (const Sighting& sighting : sightings) table[row].push_back(overlaps[sighting.source]);
    }
    return table;
}

// What nothing claimed begins an object, unless it is a second box of one.
void Tracker::begin_tracks(const std::vector<Sighting>& sightings, Association& matched) {
    for (std::size_t column = 0; column < sightings.size(); ++column) {
        const Sighting& sighting = sightings[column];
        if (matched.track_of[column] >= 0) continue;
        const float area = core::area(sighting.box);
        const auto same = [&](int other) {
            const core::Box& box = sightings[other].box;
            return core::iou(sighting.box, area, box, core::area(box)) > kSameObject;
        };
        std::size_t row = 0;
        while (row < tracks_.size() &&
               (matched.sighting_of[row] < 0 || !same(matched.sighting_of[row]))) {
            ++row;
        }
        if (row < tracks_.size()) {
            tracks_[row].hear(sighting.class_id, sighting.score);
        } else if (sighting.score >= options_.conf) {
            tracks_.emplace_back(sighting, clock_s_);
            matched.sighting_of.push_back(static_cast<int>(column));
        }
    }
}

void Tracker::give_identities() {
    for (Track& track : tracks_) {
        if (track.id == 0 && deserves_identity(track, options_.conf)) track.id = ++last_id_;
    }
}

void Tracker::end_tracks(const Moment& moment) {
    const auto ended = [&](const Track& track) {
        if (track.missed() == 0) return false;
        if (track.id == 0) return track.unlikely();
        return clock_s_ - track.seen_s() > options_.lost_s ||
               !track.is_inside(moment.width, moment.height);
    };
    tracks_.erase(std::remove_if(tracks_.begin(), tracks_.end(), ended), tracks_.end());
}

}  // namespace edgeseg::cpu
