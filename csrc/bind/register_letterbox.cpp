#include <pybind11/stl.h>

#include <array>

#include "bind/arrays.h"
#include "bind/images.h"
#include "bind/register.h"
#include "cpu/simd.h"
#include "ops/checks.h"
#include "ops/letterbox.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

core::PlanesView planes_view(py::array& out) {
    check<float>(out, "out", {"float32", {3, -1, -1}});
    check_adjacent(out, "out", 2);
    check_writeable(out, "out");
    return {static_cast<float*>(out.mutable_data()), side(out, "out", 2), side(out, "out", 1),
            stride<float>(out, 0), stride<float>(out, 1)};
}

core::Sampling sampling_named(const std::string& name) {
    if (name == "ends") return core::Sampling::kEnds;
    if (name == "centres") return core::Sampling::kCentres;
    refuse("sampling must be \"ends\" or \"centres\", got \"", name, "\"");
}

void bound_letterbox(const py::array& image, py::array out, const std::array<int, 4>& region,
                     float pad, bool fill, const std::string& sampling, const std::string& simd) {
    const core::ImageView source = image_view(image);
    const core::PlanesView planes = planes_view(out);
    const SimdLevel level = simd_level_named(simd);
    const LetterboxOptions options = {
        {region[0], region[1], region[2], region[3], sampling_named(sampling)}, pad, fill};
    const py::gil_scoped_release release;
    letterbox(Device::kCpu, source, planes, options, level);
}

}  // namespace

void register_letterbox(py::module_& module) {
    module.def("letterbox", &bound_letterbox,
               "Resize a BGR picture into a region of an RGB tensor and fill the rest.",
               py::arg("image").noconvert(), py::arg("out").noconvert(), py::arg("region"),
               py::kw_only(), py::arg("pad") = 127.5f, py::arg("fill") = true,
               py::arg("sampling") = "ends", py::arg("simd") = "auto");
}

}  // namespace edgeseg::bind
