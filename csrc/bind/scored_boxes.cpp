#include "bind/scored_boxes.h"

#include "bind/arrays.h"

namespace py = pybind11;

namespace edgeseg::bind {

ScoredBoxes scored_boxes(const py::array& boxes, const py::array& scores,
                         const py::array& class_ids) {
    check<float>(boxes, "boxes", {"float32", {-1, 4}});
    const py::ssize_t count = boxes.shape(0);
    check<float>(scores, "scores", {"float32", {count}});
    check<std::int32_t>(class_ids, "class_ids", {"int32", {count}});
    return {
        count,
        static_cast<const float*>(boxes.data()),
        stride<float>(boxes, 0),
        stride<float>(boxes, 1),
        {static_cast<const float*>(scores.data()), stride<float>(scores, 0)},
        {static_cast<const std::int32_t*>(class_ids.data()), stride<std::int32_t>(class_ids, 0)}};
}

}  // namespace edgeseg::bind
