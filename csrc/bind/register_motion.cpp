#include <pybind11/stl.h>

#include <array>
#include <utility>

#include "bind/arrays.h"
#include "bind/images.h"
#include "bind/register.h"
#include "ops/assign.h"
#include "ops/checks.h"
#include "ops/mask_iou.h"
#include "ops/motion.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

py::array_t<std::int64_t> bound_assign(const py::array& weights) {
    check<double>(weights, "weights", {"float64", {-1, -1}});
    const py::ssize_t rows = weights.shape(0), columns = weights.shape(1);
    std::vector<double> packed(static_cast<std::size_t>(rows * columns));
    const core::Strided<double> line = {static_cast<const double*>(weights.data()),
                                        stride<double>(weights, 1)};
    const std::ptrdiff_t row_stride = stride<double>(weights, 0);
    for (py::ssize_t i = 0; i < rows * columns; ++i) {
        packed[static_cast<std::size_t>(i)] =
            line.data[(i / columns) * row_stride + (i % columns) * line.stride];
    }
    std::vector<std::int64_t> chosen;
    {
        const py::gil_scoped_release release;
        chosen = assign(packed.data(), rows, columns);
    }
    return to_array(chosen);
}

py::array_t<std::uint8_t> bound_shrink_grey(const py::array& image, int factor) {
    const core::ImageView view = image_view(image);
    GreyPicture grey;
    {
        const py::gil_scoped_release release;
        shrink_grey(view, factor, grey);
    }
    return py::array_t<std::uint8_t>(std::vector<py::ssize_t>{grey.height, grey.width},
                                     grey.pixels.data());
}

GreyPicture grey_picture(const py::array& grey, const char* name, int factor) {
    check<std::uint8_t>(grey, name, {"uint8", {-1, -1}});
    GreyPicture picture;
    picture.height = side(grey, name, 0);
    picture.width = side(grey, name, 1);
    picture.factor = factor;
    const auto* data = static_cast<const std::uint8_t*>(grey.data());
    for (int y = 0; y < picture.height; ++y) {
        for (int x = 0; x < picture.width; ++x) {
            picture.pixels.push_back(data[y * grey.strides(0) + x * grey.strides(1)]);
        }
    }
    return picture;
}

py::object bound_find_shift(const py::array& before, const py::array& after,
                            const std::array<float, 4>& box, const std::pair<double, double>& guess,
                            int radius, int factor) {
    if (factor < 1) refuse("factor must be 1 or more, got ", factor);
    const GreyPicture first = grey_picture(before, "before", factor);
    const GreyPicture second = grey_picture(after, "after", factor);
    const Shift start = {true, guess.first, guess.second};
    Shift shift;
    {
        const py::gil_scoped_release release;
        shift = find_shift(first, second, {box[0], box[1], box[2], box[3]}, start, radius);
    }
    if (!shift.found) return py::none();
    return py::make_tuple(shift.x, shift.y);
}

core::Box box_at(const py::array& boxes, py::ssize_t row) {
    const auto* edges = static_cast<const float*>(boxes.data()) + row * stride<float>(boxes, 0);
    const std::ptrdiff_t step = stride<float>(boxes, 1);
    return {edges[0], edges[step], edges[2 * step], edges[3 * step]};
}

std::vector<MaskView> mask_views(const std::vector<py::array>& grids, const py::array& regions,
                                 const py::array& clips, const std::string& suffix) {
    const auto count = static_cast<py::ssize_t>(grids.size());
    check<float>(regions, "regions_" + suffix, {"float32", {count, 4}});
    check<float>(clips, "clips_" + suffix, {"float32", {count, 4}});
    std::vector<MaskView> views;
    for (py::ssize_t i = 0; i < count; ++i) {
        const py::array& grid = grids[static_cast<std::size_t>(i)];
        const std::string name = "grids_" + suffix + "[" + std::to_string(i) + "]";
        check<std::uint8_t>(grid, name, {"uint8", {-1, -1}});
        views.push_back({static_cast<const std::uint8_t*>(grid.data()), side(grid, name.c_str(), 0),
                         side(grid, name.c_str(), 1), grid.strides(0), grid.strides(1),
                         box_at(regions, i), box_at(clips, i)});
    }
    return views;
}

py::array_t<float> bound_mask_iou(const std::vector<py::array>& grids_a, const py::array& regions_a,
                                  const py::array& clips_a, const std::vector<py::array>& grids_b,
                                  const py::array& regions_b, const py::array& clips_b) {
    const std::vector<MaskView> a = mask_views(grids_a, regions_a, clips_a, "a");
    const std::vector<MaskView> b = mask_views(grids_b, regions_b, clips_b, "b");
    std::vector<float> overlaps;
    {
        const py::gil_scoped_release release;
        overlaps = mask_iou(a, b);
    }
    const std::vector<py::ssize_t> shape = {static_cast<py::ssize_t>(a.size()),
                                            static_cast<py::ssize_t>(b.size())};
    return py::array_t<float>(shape, overlaps.data());
}

}  // namespace

void register_motion(py::module_& module) {
    module.def("assign", &bound_assign, "Choose pairs of rows and columns of the largest weight.",
               py::arg("weights").noconvert());
    module.def("shrink_grey", &bound_shrink_grey, "Shrink a picture to its brightness.",
               py::arg("image").noconvert(), py::arg("factor"));
    module.def("find_shift", &bound_find_shift, "Find how far a part of a picture moved.",
               py::arg("before").noconvert(), py::arg("after").noconvert(), py::arg("box"),
               py::arg("guess") = std::pair<double, double>{0.0, 0.0}, py::kw_only(),
               py::arg("radius") = 8, py::arg("factor") = 1);
    module.def("mask_iou", &bound_mask_iou, "Compare compact masks, each with each.",
               py::arg("grids_a"), py::arg("regions_a").noconvert(), py::arg("clips_a").noconvert(),
               py::arg("grids_b"), py::arg("regions_b").noconvert(),
               py::arg("clips_b").noconvert());
}

}  // namespace edgeseg::bind
