#include "ops/polygons.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "core/letterbox.h"
#include "core/math.h"
#include "cpu/cracks.h"
#include "cpu/thin_ring.h"
#include "ops/checks.h"

namespace edgeseg {
namespace {

// Follows cracks and cuts what comes back to the same point into rings of its own.
class RingTracer {
 public:
    // The rings along the outline that crack `start` is part of. Marks its cracks.
    std::vector<Ring> trace(const cpu::Cracks& cracks, std::size_t start, std::vector<bool>& seen) {
        rings_.clear();
        crosses_.clear();
        Ring points;
        std::size_t i = start;
        do {
            const cpu::Crack& crack = cracks.all[i];
            seen[i] = true;
            append(points, crack.x, crack.begin_y(), crack.begins_at_cross);
            append(points, crack.x, crack.end_y(), crack.ends_at_cross);
            i = crack.next;
        } while (i != start);
        // The first crack may go on straight from the last.
        if (is_same(points.front(), points.back())) {
            points.pop_back();
            points.erase(points.begin());
        }
        rings_.push_back(std::move(points));
        return std::move(rings_);
    }

 private:
    static bool is_same(const Point& a, const Point& b) { return a.x == b.x && a.y == b.y; }

    void append(Ring& points, int x, int y, bool is_cross) {
        const Point point = {static_cast<float>(x), static_cast<float>(y)};
        if (is_cross) return append_cross(points, point);
        if (!points.empty() && is_same(points.back(), point)) {
            points.pop_back();  // straight on from the last crack
        } else {
            points.push_back(point);
        }
    }

    void append_cross(Ring& points, const Point& point) {
        const auto key =
            (static_cast<std::uint64_t>(point.x) << 32) + static_cast<std::uint64_t>(point.y);
        const auto [found, is_new] = crosses_.try_emplace(key, points.size());
        if (is_new) {
            points.push_back(point);
            return;
        }
        const auto first = points.begin() + static_cast<std::ptrdiff_t>(found->second);
        rings_.emplace_back(first, points.end());
        points.erase(first + 1, points.end());
    }

    std::vector<Ring> rings_;
    std::unordered_map<std::uint64_t, std::size_t> crosses_;
};

struct PartRing {
    std::size_t part;
    TracedRing ring;
};

std::vector<PartRing> trace_all(const cpu::Cracks& cracks) {
    std::vector<PartRing> found;
    std::vector<bool> seen(cracks.all.size(), false);
    RingTracer tracer;
    for (std::size_t i = 0; i < cracks.all.size(); ++i) {
        if (seen[i]) continue;
        for (Ring& ring : tracer.trace(cracks, i, seen)) {
            const bool is_hole = cpu::twice_area(ring) < 0;
            found.push_back({cracks.part_of[i / 2], {std::move(ring), is_hole}});
        }
    }
    return found;
}

void check_size(int width, int height, const char* name) {
    if (width < 0 || height < 0 || width > core::kMaxSourceSide || height > core::kMaxSourceSide) {
        refuse(name, " must have sides of 0 to ", core::kMaxSourceSide, " pixels, got ", width,
               " x ", height);
    }
}

// Flip the pixel at which each row is crossed by an edge; the rows below sum the flips up.
void flip_along(const Point& from, const Point& to, int width, int height, std::uint8_t* out) {
    const Point& upper = from.y < to.y ? from : to;
    const Point& lower = from.y < to.y ? to : from;
    const double first = std::max(0.0, std::ceil(upper.y - 0.5));
    const double past = std::min(static_cast<double>(height), std::ceil(lower.y - 0.5));
    if (!(first < past)) return;
    const double slope =
        (static_cast<double>(lower.x) - upper.x) / (static_cast<double>(lower.y) - upper.y);
    for (int y = static_cast<int>(first); y < static_cast<int>(past); ++y) {
        const double x = upper.x + (y + 0.5 - upper.y) * slope;
        const double column = std::max(0.0, std::ceil(x - 0.5));
        if (column < width) {
            out[static_cast<std::ptrdiff_t>(y) * width + static_cast<int>(column)] ^= 1;
        }
    }
}

}  // namespace

std::vector<TracedRing> trace_polygons(const core::GridView& mask, float tolerance_px) {
    check_size(mask.columns, mask.rows, "mask");
    if (!(tolerance_px >= 0.0f)) refuse("tolerance_px must be 0 or more, got ", tolerance_px);
    std::vector<PartRing> found = trace_all(cpu::find_cracks(mask));
    std::stable_sort(found.begin(), found.end(), [](const PartRing& a, const PartRing& b) {
        return std::pair(a.part, a.ring.is_hole) < std::pair(b.part, b.ring.is_hole);
    });
    std::vector<TracedRing> rings;
    rings.reserve(found.size());
    for (PartRing& part : found) {
        Ring& points = part.ring.points;
        if (tolerance_px > 0) points = cpu::thin_ring(points, tolerance_px);
        rings.push_back(std::move(part.ring));
    }
    return rings;
}

void fill_polygons(const std::vector<Ring>& rings, int width, int height, std::uint8_t* out) {
    check_size(width, height, "size");
    for (std::size_t i = 0; i < rings.size(); ++i) {
        for (const Point& point : rings[i]) {
            if (!core::is_finite(point.x) || !core::is_finite(point.y)) {
                refuse("rings[", i, "] must have finite points, got (", point.x, ", ", point.y,
                       ")");
            }
        }
    }
    std::fill_n(out, static_cast<std::ptrdiff_t>(width) * height, std::uint8_t{0});
    for (const Ring& ring : rings) {
        for (std::size_t i = 0; i < ring.size(); ++i) {
            flip_along(ring[i], ring[i + 1 < ring.size() ? i + 1 : 0], width, height, out);
        }
    }
    for (int y = 0; y < height; ++y) {
        std::uint8_t* row = out + static_cast<std::ptrdiff_t>(y) * width;
        for (int x = 1; x < width; ++x) row[x] ^= row[x - 1];
    }
}

}  // namespace edgeseg
