#pragma once

#include "core/geometry.h"
#include "core/hd.h"
#include "core/math.h"

namespace edgeseg::core {

struct Anchor {
    float width, height;
};

// What all boxes of one head share.
struct BoxForm {
    float stride_x, stride_y;  // network pixels per cell
    float scale_x_y;
    bool activated;  // new_coords: the numbers are through their sigmoid already
};

// Width and height are held below this many times the anchor (e^20), or the area of
// a wild box would not be a number any more.
constexpr float kMaxLogSize = 20.0f;
constexpr float kMaxRootSize = 11000.0f;  // 4 * 11000^2 = e^20

EDGESEG_HD inline float probability(float raw, bool activated) {
    return activated ? raw : sigmoid(raw);
}

// The least raw value that can be a probability above `threshold`.
EDGESEG_HD inline float raw_floor(float threshold, bool activated) {
    return activated ? threshold : logit_floor(threshold);
}

EDGESEG_HD inline float size_factor(float raw, bool activated) {
    if (!activated) return exponential(raw > kMaxLogSize ? kMaxLogSize : raw);
    const float root = raw > kMaxRootSize    ? kMaxRootSize
                       : raw < -kMaxRootSize ? -kMaxRootSize
                                             : raw;
    return 4.0f * (root * root);
}

// get_yolo_box and get_region_box of Darknet (yolo_layer.c, region_layer.c), in network
// pixels. Any number that is NaN makes the box not finite.
EDGESEG_HD inline Box decode_box(float x, float y, float width, float height, int column, int row,
                                 const Anchor& anchor, const BoxForm& form) {
    const float shift = 0.5f * (form.scale_x_y - 1.0f);
    const float inside_x = probability(x, form.activated) * form.scale_x_y - shift;
    const float inside_y = probability(y, form.activated) * form.scale_x_y - shift;
    const float centre_x = (static_cast<float>(column) + inside_x) * form.stride_x;
    const float centre_y = (static_cast<float>(row) + inside_y) * form.stride_y;
    const float half_w = 0.5f * (size_factor(width, form.activated) * anchor.width);
    const float half_h = 0.5f * (size_factor(height, form.activated) * anchor.height);
    return {centre_x - half_w, centre_y - half_h, centre_x + half_w, centre_y + half_h};
}

}  // namespace edgeseg::core
