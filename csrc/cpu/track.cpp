#include "cpu/track.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace edgeseg::cpu {
namespace {

// All lengths are in sides: the square root of the box's area. That makes one set of figures
// fit near and far objects.
constexpr double kSightNoise = 0.1;   // a detection's middle is off by so much, its sides by twice
constexpr double kUnrest = 0.5;       // density of the acceleration's noise, sides^2/s^3
constexpr double kSideUnrest = 0.05;  // the same for the sides
constexpr double kFirstSpeed = 3.0;   // sides/s: what may be expected of something new
constexpr double kFirstGrowth = 1.0;
constexpr double kRest_s = 4.0;  // what is not seen slows down: by 1/e in this time
constexpr double kMargin = 0.6;  // of the standard deviation, and of the box at most

// Whether an object is there is a chance that moves with each look: as in integrated
// probabilistic data association (Musicki, Evans, Stankovic, IEEE TAC 1994), with the share of
// looks that find it learned for each object.
constexpr double kLeaves = 0.1;        // in a second
constexpr double kChance = 0.1;        // that a detection stands by chance where one is awaited
constexpr double kFoundBefore = 0.8;   // share of looks, before any
constexpr double kBeforeWeight = 5.0;  // looks that this is worth
constexpr double kMostFound = 0.95;
constexpr double kLeastFound = 0.3;
constexpr double kFullScore = 0.6;  // a weaker detection says less
constexpr double kMostSure = 0.99;  // else an object that left would be carried for long
constexpr double kMostSureAtFirst = 0.95;
constexpr double kProven = 0.8;
constexpr double kUnlikely = 0.1;

constexpr double kFading = 0.95;     // of what earlier looks said
constexpr double kVoteFading = 0.9;  // of what earlier detections said of the class
constexpr double kMajority = 1.5;
constexpr int kLeastVotes = 2;

double log_odds(double chance) { return std::log(chance / (1.0 - chance)); }

core::Axis first(double at, double noise, double speed) {
    return {at, 0.0, noise * noise, 0.0, speed * speed};
}

struct Place {
    double x, y, width, height;
};

Place place_of(const core::Box& box) {
    return {0.5 * (double{box.left} + box.right), 0.5 * (double{box.top} + box.bottom),
            double{box.right} - box.left, double{box.bottom} - box.top};
}

// A speed that is far off tells of another object, so it counts the less the farther it is.
core::Axis corrected_by_speed(const core::Axis& axis, double seen, double noise) {
    const double off = seen - axis.speed;
    const double awaited = axis.var_speed + noise;
    const double excess = std::max(1.0, off * off / awaited);
    return core::speed_corrected(axis, seen, excess * awaited - axis.var_speed);
}

}  // namespace

bool before(const Sighting& a, const Sighting& b) {
    const auto key = [](const Sighting& s) {
        return std::tuple(-s.score, s.box.left, s.box.top, s.box.right, s.box.bottom, s.class_id,
                          s.source);
    };
    return key(a) < key(b);
}

Track::Track(const Sighting& sighting, double time_s)
    : class_id_(sighting.class_id),
      score_(sighting.score),
      best_score_(sighting.score),
      mean_score_(sighting.score),
      log_odds_(log_odds(std::clamp<double>(sighting.score, 0.05, kMostSureAtFirst))),
      seen_s_(time_s) {
    const Place place = place_of(sighting.box);
    const double side = std::sqrt(place.width * place.height);
    const double noise = kSightNoise * side, speed = kFirstSpeed * side;
    x_ = first(place.x, noise, speed);
    y_ = first(place.y, noise, speed);
    width_ = first(place.width, 2.0 * noise, kFirstGrowth * side);
    height_ = first(place.height, 2.0 * noise, kFirstGrowth * side);
    vote(sighting.class_id, sighting.score);
}

void Track::advance(double dt) {
    const double area = side() * side();
    if (missed_ > 0) {
        const double left = std::exp(-dt / kRest_s);
        for (core::Axis* axis : {&x_, &y_, &width_, &height_}) axis->speed *= left;
    }
    x_ = core::predicted(x_, dt, kUnrest * area);
    y_ = core::predicted(y_, dt, kUnrest * area);
    width_ = core::predicted(width_, dt, kSideUnrest * area);
    height_ = core::predicted(height_, dt, kSideUnrest * area);
    const double chance = std::exp(-kLeaves * dt) / (1.0 + std::exp(-log_odds_));
    log_odds_ = log_odds(std::clamp(chance, 1e-6, 1.0 - 1e-6));
}

void Track::observe_speed(double x, double y, double deviation) {
    x_ = corrected_by_speed(x_, x, deviation * deviation);
    y_ = corrected_by_speed(y_, y, deviation * deviation);
}

void Track::see(const Sighting& sighting, double time_s) {
    const double noise = kSightNoise * side();
    const Place place = place_of(sighting.box);
    x_ = core::corrected(x_, place.x, noise * noise);
    y_ = core::corrected(y_, place.y, noise * noise);
    width_ = core::corrected(width_, place.width, 4.0 * noise * noise);
    height_ = core::corrected(height_, place.height, 4.0 * noise * noise);
    score_ = sighting.score;
    best_score_ = std::max(best_score_, sighting.score);
    scores_ = scores_ * kFading + 1.0;
    mean_score_ += (sighting.score - mean_score_) / scores_;
    const double weight = std::clamp(sighting.score / kFullScore, 0.0, 1.0);
    log_odds_ += weight * std::log(std::max(found_share(), kLeastFound) / kChance);
    log_odds_ = std::min(log_odds_, log_odds(kMostSure));
    found_ = found_ * kFading + 1.0;
    not_found_ *= kFading;
    for (Vote& vote : votes_) vote.weight *= kVoteFading;
    vote(sighting.class_id, sighting.score);
    seen_s_ = time_s;
    missed_ = 0;
}

void Track::hear(std::int32_t class_id, float score) { vote(class_id, score); }

void Track::miss() {
    log_odds_ += std::log((1.0 - std::min(found_share(), kMostFound)) / (1.0 - kChance));
    not_found_ = not_found_ * kFading + 1.0;
    found_ *= kFading;
    ++missed_;
}

// The class changes when another one has more than kMajority times its weight, from at least
// kLeastVotes detections: one that flickers changes nothing.
void Track::vote(std::int32_t class_id, float score) {
    const auto of = [&](std::int32_t wanted) {
        return std::find_if(votes_.begin(), votes_.end(),
                            [&](const Vote& vote) { return vote.class_id == wanted; });
    };
    if (of(class_id) == votes_.end()) votes_.push_back({class_id, 0.0, 0});
    const auto given = of(class_id);
    given->weight += score;
    given->count += 1;
    if (given->count >= kLeastVotes && given->weight > kMajority * of(class_id_)->weight) {
        class_id_ = class_id;
    }
    votes_.erase(std::remove_if(votes_.begin(), votes_.end(),
                                [&](const Vote& vote) {
                                    return vote.weight < 0.01 && vote.class_id != class_id_;
                                }),
                 votes_.end());
}

double Track::found_share() const {
    return (found_ + kFoundBefore * kBeforeWeight) / (found_ + not_found_ + kBeforeWeight);
}

core::Box Track::box() const {
    const double half_w = 0.5 * std::max(width_.at, 1.0), half_h = 0.5 * std::max(height_.at, 1.0);
    return {static_cast<float>(x_.at - half_w), static_cast<float>(y_.at - half_h),
            static_cast<float>(x_.at + half_w), static_cast<float>(y_.at + half_h)};
}

double Track::side() const {
    return std::sqrt(std::max(width_.at, 1.0) * std::max(height_.at, 1.0));
}

double Track::margin_x() const {
    return kMargin * std::min(std::sqrt(x_.var_at), std::max(width_.at, 1.0));
}

double Track::margin_y() const {
    return kMargin * std::min(std::sqrt(y_.var_at), std::max(height_.at, 1.0));
}

bool Track::is_inside(int width, int height) const {
    return x_.at > 0.0 && y_.at > 0.0 && x_.at < width && y_.at < height;
}

bool Track::likely() const { return log_odds_ > 0.0; }
bool Track::proven() const { return log_odds_ >= log_odds(kProven); }
bool Track::unlikely() const { return log_odds_ <= log_odds(kUnlikely); }

}  // namespace edgeseg::cpu
