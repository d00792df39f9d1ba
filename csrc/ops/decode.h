#pragma once

#include <cstdint>
#include <vector>

#include "core/views.h"
#include "core/yolo.h"
#include "ops/device.h"

namespace edgeseg {

enum class HeadKind { kYolo, kRegion };

// How the numbers of one raw head become boxes (HeadSpec in types.py).
struct YoloHead {
    HeadKind kind = HeadKind::kYolo;
    std::vector<core::Anchor> anchors_net;
    int classes = 0;
    float scale_x_y = 1.0f;
    bool new_coords = false;
    bool softmax = true;  // kRegion only
};

// Throws std::invalid_argument when a field is out of range.
void check_head(const YoloHead& head);

struct DecodeOptions {
    int net_width, net_height;
    float conf;
    bool multi_label;  // each class above conf is a candidate; else only the best class
    std::int64_t max_candidates;
};

// Throws std::invalid_argument when heads and specs do not fit, or an option is out of range.
void check_decode(const std::vector<core::HeadView>& heads, const std::vector<YoloHead>& specs,
                  const DecodeOptions& options);

struct Candidates {
    std::vector<core::Box> boxes_net;
    std::vector<float> scores;
    std::vector<std::int32_t> class_ids;
};

// Find the boxes that score above `conf` in the raw heads of one picture.
//
// The objectness plane is read first; only cells whose objectness is above conf are looked
// at further. The score is objectness times class probability and must be above conf
// (Darknet's rule: strictly). With multi_label, each such class is a candidate of its own;
// otherwise only the class with the highest raw value, the first of equals. Class
// probability: sigmoid; for kRegion with softmax, the softmax over the classes; with
// new_coords, the raw value. A candidate with a number that is not finite is left out.
// Candidates come in the order head, anchor, row, column, class. When there are more than
// max_candidates, those first in the strict order (score descending, then candidate order)
// stay, still in candidate order.
//
// Throws std::invalid_argument when heads and specs do not fit, or an option is out of range.
Candidates decode(Device device, const std::vector<core::HeadView>& heads,
                  const std::vector<YoloHead>& specs, const DecodeOptions& options);

}  // namespace edgeseg
