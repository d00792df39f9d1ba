#include <pybind11/stl.h>

#include <array>

#include "bind/arrays.h"
#include "bind/images.h"
#include "bind/masks.h"
#include "bind/register.h"
#include "ops/blend.h"
#include "ops/checks.h"
#include "ops/paste.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

core::Box box_of(const std::array<float, 4>& edges) {
    return {edges[0], edges[1], edges[2], edges[3]};
}

py::array_t<std::uint8_t> bound_paste(const py::array& grid, const std::array<float, 4>& region,
                                      const std::array<float, 4>& clip,
                                      const std::array<int, 4>& box) {
    const core::GridView cells = grid_view(grid, "grid");
    const PixelBox pixels = {box[0], box[1], box[2], box[3]};
    check_pixel_box(pixels);
    py::array_t<std::uint8_t> out({pixels.bottom - pixels.top, pixels.right - pixels.left});
    std::uint8_t* memory = out.mutable_data();
    {
        const py::gil_scoped_release release;
        paste(Device::kCpu, cells, {box_of(region), box_of(clip)}, pixels, memory);
    }
    return out;
}

CanvasView canvas_view(py::array& image) {
    const core::ImageView view = image_view(image);
    check_adjacent(image, "image", 2);
    if (view.width > 1 && view.pixel_stride != 3) {
        refuse("image must have adjacent pixels, got a stride of ", view.pixel_stride,
               " bytes; pass np.ascontiguousarray(image)");
    }
    check_writeable(image, "image");
    return {static_cast<std::uint8_t*>(image.mutable_data()), view.width, view.height,
            view.row_stride};
}

core::Box box_at(const py::array& boxes, py::ssize_t i) {
    const auto edge = [&](py::ssize_t side) {
        return *static_cast<const float*>(boxes.data(i, side));
    };
    return {edge(0), edge(1), edge(2), edge(3)};
}

void bound_blend(py::array image, const std::vector<py::array>& grids, const py::array& regions,
                 const py::array& clips, const py::array& colors, float alpha) {
    const auto count = static_cast<py::ssize_t>(grids.size());
    const CanvasView canvas = canvas_view(image);
    check<float>(regions, "regions", {"float32", {count, 4}});
    check<float>(clips, "clips", {"float32", {count, 4}});
    check<std::uint8_t>(colors, "colors", {"uint8", {count, 3}});
    std::vector<MaskLayer> layers;
    for (py::ssize_t i = 0; i < count; ++i) {
        const py::array& grid = grids[static_cast<std::size_t>(i)];
        const auto channel = [&](py::ssize_t c) {
            return *static_cast<const std::uint8_t*>(colors.data(i, c));
        };
        layers.push_back({grid_view(grid, "grids[" + std::to_string(i) + "]"),
                          {box_at(regions, i), box_at(clips, i)},
                          channel(0),
                          channel(1),
                          channel(2)});
    }
    const py::gil_scoped_release release;
    blend(Device::kCpu, canvas, layers, alpha);
}

}  // namespace

void register_masks(py::module_& module) {
    module.def("paste", &bound_paste, "Give the certainty of each pixel of a box.",
               py::arg("grid").noconvert(), py::arg("region"), py::arg("clip"), py::arg("box"));
    module.def("blend", &bound_blend, "Lay masks over a picture in place, the first in front.",
               py::arg("image").noconvert(), py::arg("grids"), py::arg("regions").noconvert(),
               py::arg("clips").noconvert(), py::arg("colors").noconvert(), py::kw_only(),
               py::arg("alpha") = 0.45f);
}

}  // namespace edgeseg::bind
