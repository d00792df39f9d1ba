#pragma once

#include <pybind11/numpy.h>

#include "ops/nms.h"

namespace edgeseg::bind {

// float32[M, 4], float32[M] and int32[M], with any strides. Throws TypeError and ValueError.
ScoredBoxes scored_boxes(const pybind11::array& boxes, const pybind11::array& scores,
                         const pybind11::array& class_ids);

}  // namespace edgeseg::bind
