#include <string>

#include "bind/arrays.h"
#include "bind/names.h"
#include "bind/register.h"
#include "bind/scored_boxes.h"
#include "ops/checks.h"
#include "ops/nms.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

py::array_t<std::int64_t> bound_nms(const py::array& boxes, const py::array& scores,
                                    const py::array& class_ids, float iou, const std::string& kind,
                                    bool agnostic, std::int64_t max_detections) {
    const ScoredBoxes scored = scored_boxes(boxes, scores, class_ids);
    const NmsOptions options = {iou, overlap_of(kind), agnostic, max_detections};
    std::vector<std::int64_t> kept;
    {
        const py::gil_scoped_release release;
        kept = nms(Device::kCpu, scored, options);
    }
    return to_array(kept);
}

py::tuple bound_soft_nms(const py::array& boxes, const py::array& scores,
                         const py::array& class_ids, float sigma, float min_score, bool agnostic,
                         std::int64_t max_detections) {
    const ScoredBoxes scored = scored_boxes(boxes, scores, class_ids);
    const SoftNmsOptions options = {sigma, min_score, agnostic, max_detections};
    SoftNmsResult result;
    {
        const py::gil_scoped_release release;
        result = soft_nms(Device::kCpu, scored, options);
    }
    return py::make_tuple(to_array(result.indices), to_array(result.scores));
}

}  // namespace

void register_nms(py::module_& module) {
    module.def("nms", &bound_nms, "Choose boxes greedily, per class, and give their indices.",
               py::arg("boxes").noconvert(), py::arg("scores").noconvert(),
               py::arg("class_ids").noconvert(), py::arg("iou") = 0.45f, py::kw_only(),
               py::arg("kind") = "greedy", py::arg("agnostic") = false,
               py::arg("max_detections") = 300);
    module.def("soft_nms", &bound_soft_nms,
               "Choose boxes per class, softening the scores of those that overlap.",
               py::arg("boxes").noconvert(), py::arg("scores").noconvert(),
               py::arg("class_ids").noconvert(), py::arg("sigma") = 0.5f, py::kw_only(),
               py::arg("min_score") = 0.001f, py::arg("agnostic") = false,
               py::arg("max_detections") = 300);
}

}  // namespace edgeseg::bind
