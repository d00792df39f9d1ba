#include "bind/masks.h"

#include "bind/arrays.h"
#include "bind/images.h"
#include "core/letterbox.h"
#include "ops/checks.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

core::GridView view_of(const py::array& array, const std::string& name) {
    return {static_cast<const std::uint8_t*>(array.data()), side(array, name.c_str(), 0),
            side(array, name.c_str(), 1), array.strides(0), array.strides(1)};
}

}  // namespace

core::GridView grid_view(const py::array& grid, const std::string& name) {
    check<std::uint8_t>(grid, name, {"uint8", {-1, -1}});
    return view_of(grid, name);
}

core::GridView mask_view(const py::array& mask) {
    const bool right_type =
        py::isinstance<py::array_t<std::uint8_t>>(mask) || py::isinstance<py::array_t<bool>>(mask);
    check(mask, "mask", {"uint8 or bool", {-1, -1}}, right_type);
    return view_of(mask, "mask");
}

py::array_t<bool> frame_of_bools(int width, int height) {
    if (width < 0 || height < 0 || width > core::kMaxSourceSide || height > core::kMaxSourceSide) {
        refuse("size (height, width) must be from 0 to ", core::kMaxSourceSide, ", got (", height,
               ", ", width, ")");
    }
    return py::array_t<bool>({height, width});
}

}  // namespace edgeseg::bind
