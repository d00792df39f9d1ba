#include "bind/arrays.h"
#include "bind/register.h"
#include "ops/checks.h"
#include "ops/prototypes.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

core::HeadView prototypes_view(const py::array& prototypes) {
    check<float>(prototypes, "prototypes", {"float32", {-1, -1, -1}});
    check_adjacent(prototypes, "prototypes", 2);
    for (int axis = 0; axis < 3; ++axis) {
        if (prototypes.shape(axis) > 1 << 20) refuse("prototypes must have axes of at most 2^20");
    }
    return {static_cast<const float*>(prototypes.data()),
            static_cast<int>(prototypes.shape(0)),
            static_cast<int>(prototypes.shape(1)),
            static_cast<int>(prototypes.shape(2)),
            stride<float>(prototypes, 0),
            stride<float>(prototypes, 1)};
}

Window window_at(const py::array& windows, py::ssize_t i) {
    const auto edge = [&](int k) { return *static_cast<const std::int32_t*>(windows.data(i, k)); };
    return {edge(0), edge(1), edge(2), edge(3)};
}

py::list bound_prototype_masks(const py::array& prototypes, const py::array& coefficients,
                               const py::array& windows) {
    const core::HeadView view = prototypes_view(prototypes);
    check<float>(coefficients, "coefficients", {"float32", {-1, view.channels}});
    const py::ssize_t count = coefficients.shape(0);
    check<std::int32_t>(windows, "windows", {"int32", {count, 4}});
    py::list grids;
    std::vector<PrototypeMask> masks;
    for (py::ssize_t i = 0; i < count; ++i) {
        const Window window = window_at(windows, i);
        check_window(view, window);
        py::array_t<std::uint8_t> grid({static_cast<py::ssize_t>(window.bottom) - window.top,
                                        static_cast<py::ssize_t>(window.right) - window.left});
        masks.push_back({static_cast<const float*>(coefficients.data(i, 0)),
                         stride<float>(coefficients, 1), window, grid.mutable_data()});
        grids.append(std::move(grid));
    }
    {
        const py::gil_scoped_release release;
        prototype_masks(Device::kCpu, view, masks);
    }
    return grids;
}

}  // namespace

void register_prototypes(py::module_& module) {
    module.def("prototype_masks", &bound_prototype_masks,
               "Mix a picture's prototypes by each object's coefficients.",
               py::arg("prototypes").noconvert(), py::arg("coefficients").noconvert(),
               py::arg("windows").noconvert());
}

}  // namespace edgeseg::bind
