#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/half.h"
#include "core/hd.h"
#include "core/nms.h"
#include "core/yolo.h"

namespace edgeseg::core {

constexpr int kMaxHeads = 8;
constexpr int kMaxAnchors = 16;
// Cells that are looked at together lie in one head: the first cell of each is a multiple.
constexpr int kCellGroup = 8;

// One raw head, packed [anchors * (5 + classes), rows, columns], as a kernel takes it.
//
// Its cells are numbered by anchor, row, column; its candidates by cell, class. Candidates of
// all heads are numbered through, so that their order does not depend on who finds them first.
struct HeadPlan {
    const void* values;
    int rows, columns, anchors, classes;
    std::uint32_t first_cell, first_candidate;
    BoxForm form;
    bool softmax;
    Anchor anchors_net[kMaxAnchors];

    EDGESEG_HD std::uint32_t area() const { return static_cast<std::uint32_t>(rows * columns); }
    EDGESEG_HD std::uint32_t cells() const { return static_cast<std::uint32_t>(anchors) * area(); }
};

struct HeadPlans {
    int count;
    std::uint32_t cells;       // with the gaps between heads
    std::uint32_t candidates;  // that there can be
    HeadPlan heads[kMaxHeads];
};

// The head that holds a cell (`first_cell`) or a candidate (`first_candidate`).
EDGESEG_HD inline int head_of(const HeadPlans& plans, std::uint32_t number,
                              std::uint32_t HeadPlan::* first) {
    int head = 0;
    while (head + 1 < plans.count && plans.heads[head + 1].*first <= number) ++head;
    return head;
}

// The numbers of one cell: x, y, width, height, objectness, then the classes.
template <typename Value>
struct CellValues {
    const Value* first;
    std::ptrdiff_t plane;

    EDGESEG_HD CellValues(const HeadPlan& head, std::uint32_t cell)
        : first(static_cast<const Value*>(head.values)), plane(head.area()) {
        const std::uint32_t anchor = cell / head.area();
        first += static_cast<std::ptrdiff_t>(anchor) * (5 + head.classes) * plane +
                 (cell - anchor * head.area());
    }
    EDGESEG_HD float operator[](int channel) const { return to_float(first[channel * plane]); }
    EDGESEG_HD float of_class(int i) const { return (*this)[5 + i]; }
};

template <typename Value>
EDGESEG_HD inline float cell_objectness(const HeadPlan& head, std::uint32_t cell) {
    return probability(CellValues<Value>(head, cell)[4], head.form.activated);
}

template <typename Value>
EDGESEG_HD inline Box cell_box(const HeadPlan& head, std::uint32_t cell) {
    const CellValues<Value> values(head, cell);
    const std::uint32_t anchor = cell / head.area();
    const int place = static_cast<int>(cell - anchor * head.area());
    return decode_box(values[0], values[1], values[2], values[3], place % head.columns,
                      place / head.columns, head.anchors_net[anchor], head.form);
}

// The first of the highest class values; -1 where none is a number yet.
struct BestClass {
    float value;
    int class_id;
};

EDGESEG_HD inline BestClass best_of(const BestClass& a, const BestClass& b) {
    if (b.class_id < 0 || is_nan(b.value)) return a;
    if (a.class_id < 0 || is_nan(a.value)) return b;
    const bool second = b.value > a.value || (b.value == a.value && b.class_id < a.class_id);
    return second ? b : a;
}

// Strictly above the threshold, as Darknet has it.
EDGESEG_HD inline bool is_candidate(float score, float conf) {
    return score > conf && is_finite(score);
}

EDGESEG_HD inline std::uint64_t candidate_key(const HeadPlan& head, std::uint32_t cell,
                                              int class_id, float score) {
    const std::uint32_t classes = static_cast<std::uint32_t>(head.classes);
    const std::uint32_t index =
        head.first_candidate + cell * classes + static_cast<std::uint32_t>(class_id);
    return rank_key(score, index);
}

EDGESEG_HD inline std::uint32_t index_of_key(std::uint64_t key) {
    return static_cast<std::uint32_t>(key);
}

// The score that rank_key was given (0 for -0).
EDGESEG_HD inline float score_of_key(std::uint64_t key) {
    const std::uint32_t rising = ~static_cast<std::uint32_t>(key >> 32);
    const std::uint32_t bits = rising & 0x80000000u ? rising & 0x7fffffffu : ~rising;
    float score;
    std::memcpy(&score, &bits, sizeof score);
    return score;
}

struct Candidate {
    Box box;
    float score;
    std::int32_t class_id;
};

template <typename Value>
EDGESEG_HD inline Candidate candidate_of(const HeadPlans& plans, std::uint64_t key) {
    const std::uint32_t index = index_of_key(key);
    const HeadPlan& head = plans.heads[head_of(plans, index, &HeadPlan::first_candidate)];
    const std::uint32_t classes = static_cast<std::uint32_t>(head.classes);
    const std::uint32_t cell = (index - head.first_candidate) / classes;
    return {cell_box<Value>(head, cell), score_of_key(key),
            static_cast<std::int32_t>((index - head.first_candidate) % classes)};
}

}  // namespace edgeseg::core
