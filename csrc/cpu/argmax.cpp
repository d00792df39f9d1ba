#include "cpu/argmax.h"

#include <algorithm>

#include "cpu/lanes.h"

namespace edgeseg::cpu {
namespace {

// Of so many pixels the best scores and classes stay in the first-level cache.
constexpr int kBlock = 1024;
// So do the scores of a block whose pixels lie apart, which are read class after class.
constexpr int kScoresOfBlock = 4096;
// With so many classes a pixel's adjacent ones are worth vectors of their own.
constexpr int kManyClasses = 40;

std::uint16_t chosen(int class_id, float best, const ArgmaxOptions& options) {
    // Not `best <= floor`: NaN is above nothing.
    if (options.has_floor && !(best > options.floor)) return options.below;
    return static_cast<std::uint16_t>(class_id);
}

// Up to kBlock pixels side by side, class after class: the compiler makes vectors of it.
// kAdjacent: column_stride is known to be 1.
template <bool kAdjacent>
void argmax_of_block(const core::ScoresView& scores, const float* first, int count,
                     std::uint16_t* out, const ArgmaxOptions& options) {
    float best[kBlock];
    std::int32_t class_ids[kBlock];
    const std::ptrdiff_t step = kAdjacent ? 1 : scores.column_stride;
    for (int x = 0; x < count; ++x) {
        best[x] = first[x * step];
        class_ids[x] = 0;
    }
    for (int i = 1; i < scores.classes; ++i) {
        const float* plane = first + i * scores.class_stride;
        for (int x = 0; x < count; ++x) {
            const float score = plane[x * step];
            const bool leads = core::leads(score, best[x]);
            best[x] = leads ? score : best[x];
            class_ids[x] = leads ? i : class_ids[x];
        }
    }
    for (int x = 0; x < count; ++x) out[x] = chosen(class_ids[x], best[x], options);
}

// Classes of one pixel, adjacent: each lane takes every fourth.
std::uint16_t argmax_of_pixel(const float* scores, int classes, const ArgmaxOptions& options) {
    Floats best = load(scores);
    Ints class_ids = {0, 1, 2, 3};
    Ints now = class_ids;
    int i = 4;
    for (; i + 4 <= classes; i += 4) {
        now += 4;
        const Floats values = load(scores + i);
        const Ints leads = ~(values <= best) & (values == values);
        best = leads ? values : best;
        class_ids = leads ? now : class_ids;
    }
    float score = best[0];
    int class_id = class_ids[0];
    for (int lane = 1; lane < 4; ++lane) {
        const bool earlier = best[lane] == score && class_ids[lane] < class_id;
        if (!earlier && !core::leads(best[lane], score)) continue;
        score = best[lane];
        class_id = class_ids[lane];
    }
    for (; i < classes; ++i) {
        if (!core::leads(scores[i], score)) continue;
        score = scores[i];
        class_id = i;
    }
    return chosen(class_id, score, options);
}

}  // namespace

void argmax(const core::ScoresView& scores, std::uint16_t* out, const ArgmaxOptions& options) {
    if (scores.class_stride == 1 && scores.classes >= kManyClasses) {
        for (int y = 0; y < scores.rows; ++y) {
            const float* pixel = scores.data + y * scores.row_stride;
            for (int x = 0; x < scores.columns; ++x, pixel += scores.column_stride) {
                *out++ = argmax_of_pixel(pixel, scores.classes, options);
            }
        }
        return;
    }
    const bool adjacent = scores.columns < 2 || scores.column_stride == 1;
    const int block = adjacent ? kBlock : std::clamp(kScoresOfBlock / scores.classes, 8, kBlock);
    const auto of_block = adjacent ? argmax_of_block<true> : argmax_of_block<false>;
    for (int y = 0; y < scores.rows; ++y) {
        const float* row = scores.data + y * scores.row_stride;
        for (int x = 0; x < scores.columns; x += block) {
            const int count = std::min(block, scores.columns - x);
            of_block(scores, row + x * scores.column_stride, count, out, options);
            out += count;
        }
    }
}

}  // namespace edgeseg::cpu
