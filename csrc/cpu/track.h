#pragma once

#include <cstdint>
#include <vector>

#include "core/geometry.h"
#include "core/kalman.h"
#include "core/math.h"

namespace edgeseg::cpu {

// A detection that can be tracked.
struct Sighting {
    core::Box box;
    float score;
    std::int32_t class_id;
    std::int64_t source;  // row of the caller's detections
};

// The strict order of detections: score descending, then by what they are, so that it does not
// depend on the order in which they came.
bool before(const Sighting& a, const Sighting& b);

// What an object's detections said of its class.
struct Vote {
    std::int32_t class_id;
    double weight;  // sum of scores, older ones fading
    int count;
};

// One object: where it is and moves, what it is, and how surely it is there.
class Track {
 public:
    Track(const Sighting& sighting, double time_s);

    // Move on by `dt` seconds.
    void advance(double dt);
    // Where the filter was told nothing but sees that the picture moved: px/s, standard deviation.
    void observe_speed(double x, double y, double deviation);
    // Take the detection that was assigned to it.
    void see(const Sighting& sighting, double time_s);
    // Take another label of the same object.
    void hear(std::int32_t class_id, float score);
    // Take a look that did not find it.
    void miss();

    core::Box box() const;
    double side() const;      // the square root of its area, px: the unit of every noise
    double margin_x() const;  // by how much its place is uncertain, px
    double margin_y() const;
    bool is_inside(int width, int height) const;  // its middle is

    bool likely() const;    // more likely there than not
    bool proven() const;    // surely an object
    bool unlikely() const;  // surely none
    float mean_score() const { return static_cast<float>(mean_score_); }
    float best_score() const { return best_score_; }

    double speed_x() const { return x_.speed; }
    double speed_y() const { return y_.speed; }
    float score() const { return score_; }
    std::int32_t class_id() const { return class_id_; }
    double seen_s() const { return seen_s_; }
    int missed() const { return missed_; }  // looks since it was last found

    std::int32_t id = 0;
    std::int32_t age = 0;  // frames

 private:
    void vote(std::int32_t class_id, float score);
    double found_share() const;

    core::Axis x_, y_, width_, height_;  // of the box: middle and sides
    std::vector<Vote> votes_;
    std::int32_t class_id_;
    float score_, best_score_;
    double mean_score_, scores_ = 1.0;
    double log_odds_;                       // of being there
    double found_ = 1.0, not_found_ = 0.0;  // looks, older ones fading
    double seen_s_;
    int missed_ = 0;
};

}  // namespace edgeseg::cpu
