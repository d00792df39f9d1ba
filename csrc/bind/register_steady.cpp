#include <pybind11/stl.h>

#include <algorithm>
#include <array>

#include "bind/arrays.h"
#include "bind/register.h"
#include "ops/steady.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

using Numbers = std::array<float, 4>;  // scale_x, shift_x, scale_y, shift_y

core::GridView grid(const py::array& array, const char* name) {
    check<std::uint8_t>(array, name, {"uint8", {-1, -1}});
    check_adjacent(array, name, 1);
    return {static_cast<const std::uint8_t*>(array.data()), static_cast<int>(array.shape(0)),
            static_cast<int>(array.shape(1)), stride<std::uint8_t>(array, 0)};
}

core::GridFit fit_of(const Numbers& n) { return {n[0], n[1], n[2], n[3]}; }

py::tuple bound_grid_fit(const py::array& former, const py::array& present,
                         const std::vector<Numbers>& starts) {
    const core::GridView before = grid(former, "former"), now = grid(present, "present");
    std::vector<core::GridFit> fits;
    for (const Numbers& start : starts) fits.push_back(fit_of(start));
    core::GridFit best;
    {
        const py::gil_scoped_release release;
        best = grid_fit(Device::kCpu, before, now, fits);
    }
    return py::make_tuple(best.scale_x, best.shift_x, best.scale_y, best.shift_y);
}

py::array_t<std::uint8_t> bound_grid_laid(const py::array& former, const std::array<int, 2>& shape,
                                          const Numbers& fit) {
    const core::GridView before = grid(former, "former");
    py::array_t<std::uint8_t> out(
        std::array<py::ssize_t, 2>{std::max(shape[0], 0), std::max(shape[1], 0)});
    std::uint8_t* const cells = out.mutable_data();
    {
        const py::gil_scoped_release release;
        grid_laid(Device::kCpu, before, shape[0], shape[1], fit_of(fit), cells);
    }
    return out;
}

py::tuple bound_grid_steady(const py::array& smooth, const py::array& raw, const py::array& doubt,
                            const py::array& trend, const py::array& present, const Numbers& fit,
                            float flicker) {
    const SteadyState state = {grid(smooth, "smooth"), grid(raw, "raw"), grid(doubt, "doubt"),
                               grid(trend, "trend"), flicker};
    const core::GridView now = grid(present, "present");
    const std::array<py::ssize_t, 2> shape = {now.rows, now.columns};
    py::array_t<std::uint8_t> new_smooth(shape), new_doubt(shape), new_trend(shape);
    const SteadyOut out = {new_smooth.mutable_data(), new_doubt.mutable_data(),
                           new_trend.mutable_data()};
    {
        const py::gil_scoped_release release;
        flicker = grid_steady(Device::kCpu, state, now, fit_of(fit), out);
    }
    return py::make_tuple(new_smooth, new_doubt, new_trend, flicker);
}

}  // namespace

void register_steady(py::module_& module) {
    module.def("grid_fit", &bound_grid_fit, "Find how one mask's grid lies on another.",
               py::arg("former").noconvert(), py::arg("present").noconvert(), py::arg("starts"));
    module.def("grid_laid", &bound_grid_laid, "Lay one mask's grid on another by a fit.",
               py::arg("former").noconvert(), py::arg("shape"), py::arg("fit"));
    module.def("grid_steady", &bound_grid_steady, "Take the flicker from a mask's grid.",
               py::arg("smooth").noconvert(), py::arg("raw").noconvert(),
               py::arg("doubt").noconvert(), py::arg("trend").noconvert(),
               py::arg("present").noconvert(), py::arg("fit"), py::arg("flicker"));
}

}  // namespace edgeseg::bind
