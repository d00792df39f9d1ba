#include "cpu/thin_ring.h"

#include <algorithm>
#include <utility>

namespace edgeseg::cpu {
namespace {

double squared(double x) { return x * x; }

double squared_distance(const Point& point, const Point& from, const Point& to) {
    const double dx = static_cast<double>(to.x) - from.x, dy = static_cast<double>(to.y) - from.y;
    const double px = static_cast<double>(point.x) - from.x;
    const double py = static_cast<double>(point.y) - from.y;
    const double length = dx * dx + dy * dy;
    const double along = length > 0 ? std::clamp((px * dx + py * dy) / length, 0.0, 1.0) : 0.0;
    return squared(px - along * dx) + squared(py - along * dy);
}

std::size_t farthest_from_first(const Ring& ring) {
    std::size_t found = 0;
    double most = -1;
    for (std::size_t i = 1; i < ring.size(); ++i) {
        const double distance = squared_distance(ring[i], ring[0], ring[0]);
        if (distance > most) {
            most = distance;
            found = i;
        }
    }
    return found;
}

}  // namespace

double twice_area(const Ring& ring) {
    double sum = 0;
    for (std::size_t i = 0; i < ring.size(); ++i) {
        const Point& a = ring[i];
        const Point& b = ring[i + 1 < ring.size() ? i + 1 : 0];
        sum += static_cast<double>(a.x) * b.y - static_cast<double>(b.x) * a.y;
    }
    return sum;
}

Ring thin_ring(const Ring& ring, float tolerance_px) {
    if (ring.size() < 4) return ring;
    const std::size_t count = ring.size(), half = farthest_from_first(ring);
    std::vector<bool> is_kept(count, false);
    is_kept[0] = is_kept[half] = true;
    // Stretches between kept corners; index `count` is corner 0 again.
    std::vector<std::pair<std::size_t, std::size_t>> stretches = {{0, half}, {half, count}};
    while (!stretches.empty()) {
        const auto [begin, end] = stretches.back();
        stretches.pop_back();
        std::size_t worst = begin;
        double most = squared(tolerance_px);
        for (std::size_t i = begin + 1; i < end; ++i) {
            const double distance = squared_distance(ring[i], ring[begin], ring[end % count]);
            if (distance > most) {
                most = distance;
                worst = i;
            }
        }
        if (worst == begin) continue;
        is_kept[worst] = true;
        stretches.push_back({begin, worst});
        stretches.push_back({worst, end});
    }
    Ring kept;
    for (std::size_t i = 0; i < count; ++i) {
        if (is_kept[i]) kept.push_back(ring[i]);
    }
    const bool is_flat = kept.size() < 3 || (twice_area(kept) > 0) != (twice_area(ring) > 0) ||
                         twice_area(kept) == 0;
    return is_flat ? ring : kept;
}

}  // namespace edgeseg::cpu
