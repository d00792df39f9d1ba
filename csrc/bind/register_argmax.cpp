#include <pybind11/stl.h>

#include <optional>

#include "bind/arrays.h"
#include "bind/register.h"
#include "ops/argmax.h"
#include "ops/checks.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

int length(const py::array& scores, int axis) {
    constexpr py::ssize_t kLongest = 1 << 20;
    if (scores.shape(axis) > kLongest) {
        refuse("scores must have axes of at most ", kLongest, ", got ", scores.shape(axis));
    }
    return static_cast<int>(scores.shape(axis));
}

core::ScoresView scores_view(const py::array& scores, int axis) {
    check<float>(scores, "scores", {"float32", {-1, -1, -1}});
    if (axis != 0 && axis != 2) refuse("axis must be 0 or 2, got ", axis);
    const int rows = axis == 0 ? 1 : 0;
    return {static_cast<const float*>(scores.data()),
            length(scores, axis),
            length(scores, rows),
            length(scores, rows + 1),
            stride<float>(scores, axis),
            stride<float>(scores, rows),
            stride<float>(scores, rows + 1)};
}

py::array_t<std::uint16_t> bound_argmax(const py::array& scores, int axis,
                                        std::optional<float> floor, std::uint16_t below) {
    const core::ScoresView view = scores_view(scores, axis);
    const ArgmaxOptions options = {floor.has_value(), floor.value_or(0.0f), below};
    py::array_t<std::uint16_t> out({view.rows, view.columns});
    std::uint16_t* pixels = out.mutable_data();
    {
        const py::gil_scoped_release release;
        argmax(Device::kCpu, view, pixels, options);
    }
    return out;
}

}  // namespace

void register_argmax(py::module_& module) {
    module.def("argmax", &bound_argmax, "Give each pixel the class that scores highest there.",
               py::arg("scores").noconvert(), py::kw_only(), py::arg("axis") = 0,
               py::arg("floor") = py::none(), py::arg("below") = 0);
}

}  // namespace edgeseg::bind
