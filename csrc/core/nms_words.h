#pragma once

#include <cstdint>

#include "core/geometry.h"
#include "core/hd.h"
#include "core/nms.h"

namespace edgeseg::core {

// Boxes in the strict order are compared 64 at a time: one bit of a word for each.
constexpr int kWordBits = 64;

EDGESEG_HD inline int words_for(int boxes) { return (boxes + kWordBits - 1) / kWordBits; }

// Of the words for pairs of 64 boxes, only those are needed whose column (the later boxes) is not
// before their row.
struct WordTile {
    int row, column;
};

EDGESEG_HD inline int tiles_for(int words) { return words * (words + 1) / 2; }

EDGESEG_HD inline WordTile tile_at(int tile) {
    int column = static_cast<int>((sqrtf(8.0f * static_cast<float>(tile) + 1.0f) - 1.0f) * 0.5f);
    // The root rounds either way.
    while (tiles_for(column) > tile) --column;
    while (tiles_for(column + 1) <= tile) ++column;
    return {tile - tiles_for(column), column};
}

struct OverlapRule {
    float limit;
    bool diou, agnostic;
};

struct ClassBox {
    Box box;
    float area;
    std::int32_t class_id;
};

EDGESEG_HD inline ClassBox class_box(const Box& box, std::int32_t class_id) {
    return {box, area(box), class_id};
}

// Whether a kept box removes a later one.
EDGESEG_HD inline bool removes(const ClassBox& kept, const ClassBox& later,
                               const OverlapRule& rule) {
    if (!rule.agnostic && kept.class_id != later.class_id) return false;
    const float overlap = rule.diou ? diou(later.box, later.area, kept.box, kept.area)
                                    : iou(later.box, later.area, kept.box, kept.area);
    return overlap > rule.limit;
}

// Bit i: box `index` would remove box first + i, one of the `count` in `later`.
EDGESEG_HD inline std::uint64_t overlap_word(const ClassBox& kept, int index, const ClassBox* later,
                                             int first, int count, const OverlapRule& rule) {
    std::uint64_t word = 0;
    for (int i = 0; i < count; ++i) {
        if (first + i > index && removes(kept, later[i], rule)) word |= std::uint64_t{1} << i;
    }
    return word;
}

EDGESEG_HD inline int lowest_bit(std::uint64_t word) {
#if defined(__CUDA_ARCH__)
    return __ffsll(static_cast<long long>(word)) - 1;
#else
    return __builtin_ctzll(word);
#endif
}

EDGESEG_HD inline int count_bits(std::uint64_t word) {
#if defined(__CUDA_ARCH__)
    return __popcll(word);
#else
    return __builtin_popcountll(word);
#endif
}

// The lowest `count` bits.
EDGESEG_HD inline std::uint64_t low_bits(int count) {
    return count >= kWordBits ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

// Which of 64 boxes in the strict order stay, and no more than `most`. `removed` are those
// that earlier boxes removed, `overlaps[i]` those of them that box i removes.
EDGESEG_HD inline std::uint64_t kept_of_word(std::uint64_t removed, const std::uint64_t* overlaps,
                                             int count, int most) {
    std::uint64_t left = low_bits(count) & ~removed;
    std::uint64_t kept = 0;
    for (; left != 0 && most > 0; --most) {
        const int i = lowest_bit(left);
        kept |= std::uint64_t{1} << i;
        left &= ~(overlaps[i] | std::uint64_t{1} << i);
    }
    return kept;
}

// The way from network to source pixels, clipped to the picture (Letterbox.to_source).
struct SourceMap {
    float x, y;              // of the region, network pixels
    float scale_x, scale_y;  // network pixels per source pixel; 0: boxes stay in network pixels
    float width, height;     // source pixels
};

EDGESEG_HD inline Box to_source(const Box& box, const SourceMap& map) {
    if (map.scale_x == 0.0f) return box;
    return {lesser(greater((box.left - map.x) / map.scale_x, 0.0f), map.width),
            lesser(greater((box.top - map.y) / map.scale_y, 0.0f), map.height),
            lesser(greater((box.right - map.x) / map.scale_x, 0.0f), map.width),
            lesser(greater((box.bottom - map.y) / map.scale_y, 0.0f), map.height)};
}

}  // namespace edgeseg::core
