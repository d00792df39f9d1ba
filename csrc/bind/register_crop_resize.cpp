#include "bind/arrays.h"
#include "bind/images.h"
#include "bind/register.h"
#include "ops/crop_resize.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

BoxesView boxes_view(const py::array& boxes) {
    check<float>(boxes, "boxes", {"float32", {-1, 4}});
    return {static_cast<const float*>(boxes.data()), boxes.shape(0), stride<float>(boxes, 0),
            stride<float>(boxes, 1)};
}

CropsView crops_view(py::array& out) {
    check<float>(out, "out", {"float32", {-1, 3, -1, -1}});
    if (out.size() > 0) check_adjacent(out, "out", 3);
    check_writeable(out, "out");
    return {static_cast<float*>(out.mutable_data()),
            out.shape(0),
            side(out, "out", 3),
            side(out, "out", 2),
            stride<float>(out, 0),
            stride<float>(out, 1),
            stride<float>(out, 2)};
}

void bound_crop_resize(const py::array& image, const py::array& boxes, py::array out, float pad) {
    const core::ImageView source = image_view(image);
    const BoxesView found = boxes_view(boxes);
    const CropsView crops = crops_view(out);
    const py::gil_scoped_release release;
    crop_resize(Device::kCpu, source, found, crops, pad);
}

}  // namespace

void register_crop_resize(py::module_& module) {
    module.def("crop_resize", &bound_crop_resize,
               "Bring the part of a BGR picture under each box to one size, as RGB.",
               py::arg("image").noconvert(), py::arg("boxes").noconvert(),
               py::arg("out").noconvert(), py::kw_only(), py::arg("pad") = 114.0f);
}

}  // namespace edgeseg::bind
