#include <pybind11/stl.h>

#include <array>
#include <optional>
#include <utility>

#include "bind/arrays.h"
#include "bind/masks.h"
#include "bind/register.h"
#include "ops/rle.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

py::bytes bound_rle_encode(const py::array& mask, const std::optional<std::pair<int, int>>& size,
                           const std::pair<int, int>& corner) {
    const core::GridView pixels = mask_view(mask);
    const std::pair<int, int> frame = size.value_or(std::pair(pixels.rows, pixels.columns));
    std::string text;
    {
        const py::gil_scoped_release release;
        text = rle_encode(pixels, {corner.first, corner.second, frame.second, frame.first});
    }
    return py::bytes(text);
}

py::array_t<bool> bound_rle_decode(const py::bytes& counts, const std::pair<int, int>& size) {
    const auto [height, width] = size;
    // Before any memory is taken for a size that a damaged file may have made up.
    const std::vector<std::int64_t> runs = rle_runs(counts, width, height);
    py::array_t<bool> out = frame_of_bools(width, height);
    auto* memory = reinterpret_cast<std::uint8_t*>(out.mutable_data());
    {
        const py::gil_scoped_release release;
        rle_fill(runs, size.second, size.first, memory);
    }
    return out;
}

}  // namespace

void register_rle(py::module_& module) {
    module.def("rle_encode", &bound_rle_encode, "Give a mask as COCO's compressed run lengths.",
               py::arg("mask").noconvert(), py::kw_only(), py::arg("size") = py::none(),
               py::arg("corner") = std::pair(0, 0));
    module.def("rle_decode", &bound_rle_decode, "Read COCO's compressed run lengths.",
               py::arg("counts"), py::arg("size"));
}

}  // namespace edgeseg::bind
