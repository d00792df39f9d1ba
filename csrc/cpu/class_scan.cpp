#include "cpu/class_scan.h"

#include <cmath>

#include "cpu/lanes.h"

namespace edgeseg::cpu {
namespace {

// The raw class values of 4 kQuads cells: plane after plane, in the order of the addresses.
struct Planes {
    const float* first;
    std::ptrdiff_t stride;
    int lane;  // of the first cell

    Floats load(int class_id, int quad) const {
        return cpu::load(first + class_id * stride + 4 * quad);
    }
};

template <int kQuads>
void scan_all(const Planes& planes, const Floats* floors, ClassHits& hits) {
    for (int i = 0; i < hits.classes(); ++i) {
        Ints above[kQuads];
        Ints some = {};
        for (int quad = 0; quad < kQuads; ++quad) {
            above[quad] = planes.load(i, quad) > floors[quad];
            some |= above[quad];
        }
        if (!any(some)) continue;
        for (int quad = 0; quad < kQuads; ++quad) {
            if (!any(above[quad])) continue;
            const Floats values = planes.load(i, quad);
            for (int k = 0; k < 4; ++k) {
                hits.add(planes.lane + 4 * quad + k, i, values[k], above[quad][k] != 0);
            }
        }
    }
}

template <int kQuads>
void scan_best(const Planes& planes, const Floats* floors, ClassHits& hits) {
    Floats best[kQuads];
    Ints class_ids[kQuads];
    for (int quad = 0; quad < kQuads; ++quad) {
        best[quad] = floors[quad];
        class_ids[quad] = Ints{} - 1;
    }
    for (int i = 0; i < hits.classes(); ++i) {
        for (int quad = 0; quad < kQuads; ++quad) {
            const Floats values = planes.load(i, quad);
            const Ints higher = values > best[quad];
            best[quad] = higher ? values : best[quad];
            class_ids[quad] = higher ? Ints{} + i : class_ids[quad];
        }
    }
    for (int lane = 0; lane < 4 * kQuads; ++lane) {
        const int class_id = class_ids[lane / 4][lane % 4];
        hits.add(planes.lane + lane, class_id, best[lane / 4][lane % 4], class_id >= 0);
    }
}

}  // namespace

void find_hits(const float* classes, std::ptrdiff_t stride, bool every, const Cells& cells,
               ClassHits& hits) {
    constexpr int kQuads = kLanes / 4;
    hits.clear();
    float values[kLanes];
    std::fill_n(values, kLanes, HUGE_VALF);
    for (int i = 0; i < cells.count; ++i) values[cells.lane[i]] = cells.floor[i];
    Floats floors[kQuads];
    for (int quad = 0; quad < kQuads; ++quad) floors[quad] = load(values + 4 * quad);

    const int first = cells.lane[0] / 4;
    const bool one_quad = first == cells.lane[cells.count - 1] / 4;
    if (one_quad) {
        const Planes planes = {classes + 4 * first, stride, 4 * first};
        (every ? scan_all<1> : scan_best<1>)(planes, floors + first, hits);
    } else {
        (every ? scan_all<kQuads> : scan_best<kQuads>)({classes, stride, 0}, floors, hits);
    }
}

}  // namespace edgeseg::cpu
