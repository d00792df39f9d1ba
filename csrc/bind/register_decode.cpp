#include <pybind11/stl.h>

#include <string>
#include <utility>

#include "bind/arrays.h"
#include "bind/names.h"
#include "bind/register.h"
#include "ops/checks.h"
#include "ops/decode.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

HeadKind kind_named(const std::string& name) {
    if (name == "yolo") return HeadKind::kYolo;
    if (name == "region") return HeadKind::kRegion;
    refuse("kind must be \"yolo\" or \"region\", got \"", name, "\"");
}

YoloHead make_head(const std::string& kind, const std::vector<std::pair<float, float>>& anchors,
                   int classes, float scale_x_y, bool new_coords, bool softmax) {
    YoloHead head;
    head.kind = kind_named(kind);
    for (const auto& [width, height] : anchors) head.anchors_net.push_back({width, height});
    head.classes = classes;
    head.scale_x_y = scale_x_y;
    head.new_coords = new_coords;
    head.softmax = softmax;
    check_head(head);
    return head;
}

core::HeadView head_view(const py::array& head, std::size_t i) {
    const std::string name = "heads[" + std::to_string(i) + "]";
    const bool batched = head.ndim() == 4;
    const std::vector<py::ssize_t> shape =
        batched ? std::vector<py::ssize_t>{1, -1, -1, -1} : std::vector<py::ssize_t>{-1, -1, -1};
    check<float>(head, name, {"float32", shape});
    const int axis = batched ? 1 : 0;
    check_adjacent(head, name, axis + 2);
    for (int side = axis; side < axis + 3; ++side) {
        if (head.shape(side) > (1 << 30)) refuse(name, " is too large");
    }
    const int columns = static_cast<int>(head.shape(axis + 2));
    const std::ptrdiff_t row_stride =
        head.shape(axis + 1) > 1 ? stride<float>(head, axis + 1) : columns;
    return {static_cast<const float*>(head.data()),
            static_cast<int>(head.shape(axis)),
            static_cast<int>(head.shape(axis + 1)),
            columns,
            stride<float>(head, axis),
            row_stride};
}

py::array_t<float> boxes_array(const std::vector<core::Box>& boxes) {
    static_assert(sizeof(core::Box) == 4 * sizeof(float), "a box is four numbers");
    const std::vector<py::ssize_t> shape = {static_cast<py::ssize_t>(boxes.size()), 4};
    return py::array_t<float>(shape, reinterpret_cast<const float*>(boxes.data()));
}

py::tuple bound_decode(const std::vector<py::array>& heads, const std::vector<YoloHead>& specs,
                       const std::pair<int, int>& net_px, float conf, const std::string& labels,
                       std::int64_t max_candidates) {
    std::vector<core::HeadView> views;
    for (std::size_t i = 0; i < heads.size(); ++i) views.push_back(head_view(heads[i], i));
    const DecodeOptions options = {net_px.first, net_px.second, conf, multi_label(labels),
                                   max_candidates};
    Candidates found;
    {
        const py::gil_scoped_release release;
        found = decode(Device::kCpu, views, specs, options);
    }
    return py::make_tuple(boxes_array(found.boxes_net), to_array(found.scores),
                          to_array(found.class_ids));
}

}  // namespace

void register_decode(py::module_& module) {
    py::class_<YoloHead>(module, "YoloHead", "How the numbers of one raw head become boxes.")
        .def(py::init(&make_head), py::arg("kind"), py::arg("anchors_net"), py::arg("classes"),
             py::kw_only(), py::arg("scale_x_y") = 1.0f, py::arg("new_coords") = false,
             py::arg("softmax") = true);
    module.def("decode", &bound_decode, "Find the boxes above `conf` in the raw heads.",
               py::arg("heads").noconvert(), py::arg("specs"), py::arg("net_px"), py::arg("conf"),
               py::arg("labels") = "multi", py::kw_only(), py::arg("max_candidates") = 30000);
}

}  // namespace edgeseg::bind
