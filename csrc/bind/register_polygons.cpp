#include <pybind11/stl.h>

#include <utility>

#include "bind/arrays.h"
#include "bind/masks.h"
#include "bind/register.h"
#include "ops/polygons.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

py::array_t<float> points_array(const Ring& ring) {
    static_assert(sizeof(Point) == 2 * sizeof(float), "a point is two numbers");
    const std::vector<py::ssize_t> shape = {static_cast<py::ssize_t>(ring.size()), 2};
    return py::array_t<float>(shape, reinterpret_cast<const float*>(ring.data()));
}

Ring ring_of(const py::array& points, std::size_t i) {
    check<float>(points, "rings[" + std::to_string(i) + "]", {"float32", {-1, 2}});
    Ring ring;
    ring.reserve(static_cast<std::size_t>(points.shape(0)));
    for (py::ssize_t k = 0; k < points.shape(0); ++k) {
        ring.push_back({*static_cast<const float*>(points.data(k, 0)),
                        *static_cast<const float*>(points.data(k, 1))});
    }
    return ring;
}

py::list bound_trace_polygons(const py::array& mask, float tolerance_px) {
    const core::GridView pixels = mask_view(mask);
    std::vector<TracedRing> rings;
    {
        const py::gil_scoped_release release;
        rings = trace_polygons(pixels, tolerance_px);
    }
    py::list found;
    for (const TracedRing& ring : rings) {
        found.append(py::make_tuple(points_array(ring.points), ring.is_hole));
    }
    return found;
}

py::array_t<bool> bound_fill_polygons(const std::vector<py::array>& rings,
                                      const std::pair<int, int>& size) {
    const auto [height, width] = size;
    std::vector<Ring> found;
    for (std::size_t i = 0; i < rings.size(); ++i) found.push_back(ring_of(rings[i], i));
    py::array_t<bool> out = frame_of_bools(width, height);
    auto* memory = reinterpret_cast<std::uint8_t*>(out.mutable_data());
    {
        const py::gil_scoped_release release;
        fill_polygons(found, width, height, memory);
    }
    return out;
}

}  // namespace

void register_polygons(py::module_& module) {
    module.def("trace_polygons", &bound_trace_polygons,
               "Give the outlines of a mask along the edges of its pixels.",
               py::arg("mask").noconvert(), py::kw_only(), py::arg("tolerance_px") = 0.0f);
    module.def("fill_polygons", &bound_fill_polygons,
               "Give the pixels whose centres lie inside of the rings.", py::arg("rings"),
               py::arg("size"));
}

}  // namespace edgeseg::bind
