#include "cpu/steady.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace edgeseg::cpu {
namespace {

constexpr int kPlaces = 24;
constexpr std::array<float, 4> kSteps = {0.06f, 0.03f, 0.015f, 0.0075f};
constexpr int kRounds = 3;
constexpr float kReach = 0.25f, kStretch = 1.4f;
constexpr float kGain = 0.98f;  // of a step
constexpr float kWorth = 0.5f;  // of all steps together, or noise would be followed
constexpr float kSame = 1.0f;   // mean difference below which there is nothing to mend
constexpr int kNear = 2;

using Places = std::array<std::array<float, kPlaces>, kPlaces>;

float share(int place) { return (static_cast<float>(place) + 0.5f) / kPlaces; }

Places sampled(const core::GridView& grid) {
    Places out;
    for (int y = 0; y < kPlaces; ++y) {
        const core::Taps down = core::taps(share(y), grid.rows);
        for (int x = 0; x < kPlaces; ++x) {
            out[y][x] = core::sample(grid, core::taps(share(x), grid.columns), down);
        }
    }
    return out;
}

float difference(const core::GridView& former, const Places& present, const core::GridFit& fit) {
    std::array<core::Taps, kPlaces> across;
    for (int x = 0; x < kPlaces; ++x) across[x] = core::taps(fit.x(share(x)), former.columns);
    float sum = 0.0f;
    for (int y = 0; y < kPlaces; ++y) {
        const core::Taps down = core::taps(fit.y(share(y)), former.rows);
        for (int x = 0; x < kPlaces; ++x) {
            sum += std::fabs(core::sample(former, across[x], down) - present[y][x]);
        }
    }
    return sum / (kPlaces * kPlaces);
}

bool allowed(const core::GridFit& fit, const core::GridFit& start) {
    const auto fair = [](float scale) { return scale <= kStretch && scale >= 1.0f / kStretch; };
    return fair(fit.scale_x) && fair(fit.scale_y) &&
           std::fabs(fit.shift_x - start.shift_x) <= kReach &&
           std::fabs(fit.shift_y - start.shift_y) <= kReach;
}

struct Sides {
    std::vector<core::Taps> across, down;
};

// The cells of `former` for each column and each row of a grid laid on it.
Sides sides(const core::GridView& former, int rows, int columns, const core::GridFit& fit) {
    Sides found = {std::vector<core::Taps>(columns), std::vector<core::Taps>(rows)};
    for (int x = 0; x < columns; ++x) {
        const float place = (static_cast<float>(x) + 0.5f) / static_cast<float>(columns);
        found.across[x] = core::taps(fit.x(place), former.columns);
    }
    for (int y = 0; y < rows; ++y) {
        const float place = (static_cast<float>(y) + 0.5f) / static_cast<float>(rows);
        found.down[y] = core::taps(fit.y(place), former.rows);
    }
    return found;
}

std::uint8_t rounded(float value) { return static_cast<std::uint8_t>(value + 0.5f); }

using Bits = std::vector<std::uint8_t>;

// For each cell the bits of all cells within `reach` in x and in y.
Bits around(const Bits& cells, int rows, int columns, int reach) {
    Bits across(cells.size()), out(cells.size());
    for (int y = 0; y < rows; ++y) {
        const std::uint8_t* from = cells.data() + static_cast<std::size_t>(y) * columns;
        std::uint8_t* to = across.data() + static_cast<std::size_t>(y) * columns;
        for (int by = -reach; by <= reach; ++by) {
            const int first = std::max(0, -by), last = std::min(columns, columns - by);
            for (int x = first; x < last; ++x) to[x] |= from[x + by];
        }
    }
    for (int y = 0; y < rows; ++y) {
        std::uint8_t* to = out.data() + static_cast<std::size_t>(y) * columns;
        for (int v = std::max(0, y - reach); v <= std::min(rows - 1, y + reach); ++v) {
            const std::uint8_t* from = across.data() + static_cast<std::size_t>(v) * columns;
            for (int x = 0; x < columns; ++x) to[x] |= from[x];
        }
    }
    return out;
}

constexpr std::uint8_t kInside = 1, kOutside = 2;

// Both bits where `smooth` has a boundary within kNear cells, else one.
Bits sides_nearby(const std::vector<float>& smooth, int rows, int columns) {
    Bits bits(smooth.size());
    for (std::size_t i = 0; i < smooth.size(); ++i) {
        bits[i] = smooth[i] >= 128.0f ? kInside : kOutside;
    }
    return around(bits, rows, columns, kNear);
}

// What is remembered, laid on the present grid, and what it says of the change.
struct Layers {
    std::vector<float> smooth, raw;
    Bits far, event;
    float stayed = 0.0f, taken_back = 0.0f, gained = 0.0f, lost = 0.0f;

    explicit Layers(std::size_t count) : smooth(count), raw(count), far(count), event(count) {}

    float balance() const { return std::min(gained, lost) / std::max({gained, lost, 1.0f}); }
};

void count_change(Layers& layers, float step) {
    if (core::trend_of(step) == core::kStill) return;
    (step > 0.0f ? layers.gained : layers.lost) += std::fabs(step);
}

Layers laid(const SteadyState& state, const core::GridView& present, const Sides& sides,
            const SteadyOut& out) {
    const int rows = present.rows, columns = present.columns;
    Layers layers(static_cast<std::size_t>(rows) * columns);
    std::size_t i = 0;
    for (int y = 0; y < rows; ++y) {
        const core::Taps& down = sides.down[y];
        for (int x = 0; x < columns; ++x, ++i) {
            layers.smooth[i] = core::sample(state.smooth, sides.across[x], down);
            layers.raw[i] = core::sample(state.raw, sides.across[x], down);
        }
    }
    const Bits nearby = sides_nearby(layers.smooth, rows, columns);
    i = 0;
    for (int y = 0; y < rows; ++y) {
        const std::uint8_t* trends = state.trend.row(sides.down[y].nearest());
        for (int x = 0; x < columns; ++x, ++i) {
            const float now = present.row(y)[x];
            const core::Trend trend = core::trend_of(now - layers.raw[i]);
            const auto before = static_cast<core::Trend>(trends[sides.across[x].nearest()]);
            layers.event[i] = core::event_of(before, trend);
            layers.stayed += layers.event[i] == core::kStayed;
            layers.taken_back += layers.event[i] == core::kTakenBack;
            layers.far[i] = nearby[i] != (kInside | kOutside);
            if (layers.far[i]) count_change(layers, now - layers.smooth[i]);
            out.trend[i] = layers.far[i] ? core::kStill : trend;
        }
    }
    return layers;
}

}  // namespace

core::GridFit grid_fit(const core::GridView& former, const core::GridView& present,
                       const std::vector<core::GridFit>& starts) {
    const Places target = sampled(present);
    core::GridFit best = starts.front();
    float least = difference(former, target, best);
    for (const core::GridFit& start : starts) {
        const float found = difference(former, target, start);
        if (found < least) {
            least = found;
            best = start;
        }
    }
    const core::GridFit start = best;
    const float unmended = least;
    for (const float step : kSteps) {
        for (int round = 0; round < kRounds && least > kSame; ++round) {
            const float before = least;
            for (float core::GridFit::* number :
                 {&core::GridFit::shift_x, &core::GridFit::shift_y, &core::GridFit::scale_x,
                  &core::GridFit::scale_y}) {
                for (const float way : {step, -step}) {
                    core::GridFit tried = best;
                    tried.*number += way;
                    if (!allowed(tried, start)) continue;
                    const float found = difference(former, target, tried);
                    if (found < kGain * least) {
                        least = found;
                        best = tried;
                        break;
                    }
                }
            }
            if (least == before) break;
        }
    }
    return least < kWorth * unmended ? best : start;
}

void grid_laid(const core::GridView& former, int rows, int columns, const core::GridFit& fit,
               std::uint8_t* out) {
    const auto [across, down] = sides(former, rows, columns, fit);
    for (int y = 0; y < rows; ++y) {
        for (int x = 0; x < columns; ++x)
            *out++ = rounded(core::sample(former, across[x], down[y]));
    }
}

float grid_steady(const SteadyState& state, const core::GridView& present, const core::GridFit& fit,
                  const SteadyOut& out) {
    const int rows = present.rows, columns = present.columns;
    const Sides places = sides(state.smooth, rows, columns, fit);
    const Layers layers = laid(state, present, places, out);
    const float flicker = core::flicker_after(state.flicker, layers.stayed, layers.taken_back);
    const Bits events = around(layers.event, rows, columns, 1);
    const float far_weight = core::far_weight(layers.balance(), flicker);
    std::size_t i = 0;
    for (int y = 0; y < rows; ++y) {
        const std::uint8_t* doubts = state.doubt.row(places.down[y].nearest());
        for (int x = 0; x < columns; ++x, ++i) {
            const float doubt =
                core::doubt_after(doubts[places.across[x].nearest()], events[i] & core::kStayed,
                                  events[i] & core::kTakenBack);
            out.doubt[i] = rounded(doubt);
            const float now = present.row(y)[x], steady = layers.smooth[i];
            const bool far = layers.far[i] && core::trend_of(now - steady) != core::kStill;
            const float weight = far ? far_weight : core::near_weight(doubt, flicker);
            const float median = core::median3(now, layers.raw[i], steady);
            out.smooth[i] = rounded(now + weight * (median - now));
        }
    }
    return flicker;
}

}  // namespace edgeseg::cpu
