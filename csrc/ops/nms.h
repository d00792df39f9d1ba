#pragma once

#include <cstdint>
#include <vector>

#include "core/views.h"
#include "ops/device.h"

namespace edgeseg {

// M boxes (left, top, right, bottom), their scores and classes, borrowed.
struct ScoredBoxes {
    std::int64_t count;
    const float* boxes;
    std::ptrdiff_t box_stride, edge_stride;  // in elements
    core::Strided<float> scores;
    core::Strided<std::int32_t> class_ids;
};

enum class Overlap { kIou, kDiou };

struct NmsOptions {
    float iou;
    Overlap overlap;
    bool agnostic;  // all boxes are of one class
    std::int64_t max_detections;
};

// Choose boxes greedily, per class, and give their indices.
//
// The boxes are taken in the strict order: score descending, then index ascending. A box
// is removed when its overlap with an earlier *kept* box of its class is above `iou`; a box
// that was itself removed removes nothing. With kDiou the overlap is the distance-IoU. A
// box with an edge that is not finite, or with a score that is NaN, is never kept.
// The indices come in the strict order and are at most max_detections.
//
// Throws std::invalid_argument when an option is out of range.
std::vector<std::int64_t> nms(Device device, const ScoredBoxes& boxes, const NmsOptions& options);

struct SoftNmsOptions {
    float sigma;
    float min_score;
    bool agnostic;
    std::int64_t max_detections;
};

struct SoftNmsResult {
    std::vector<std::int64_t> indices;
    std::vector<float> scores;  // as softened
};

// Take the best box of a class again and again, and soften the scores of the others of its
// class by how much they overlap it: times exp(-IoU^2 / sigma) (Bodla et al., ICCV 2017).
//
// A box whose score falls below min_score is removed. The result comes in the strict order
// of the softened scores. Boxes that are not finite and NaN scores as in nms().
//
// Throws std::invalid_argument when an option is out of range.
SoftNmsResult soft_nms(Device device, const ScoredBoxes& boxes, const SoftNmsOptions& options);

}  // namespace edgeseg
