#include "bind/images.h"

#include "bind/arrays.h"
#include "core/letterbox.h"
#include "ops/checks.h"

namespace py = pybind11;

namespace edgeseg::bind {

int side(const py::array& array, const char* name, int axis) {
    const py::ssize_t length = array.shape(axis);
    if (length > core::kMaxSourceSide) {
        refuse(name, " must have sides of at most ", core::kMaxSourceSide, " pixels, got ", length);
    }
    return static_cast<int>(length);
}

core::ImageView image_view(const py::array& image) {
    check<std::uint8_t>(image, "image", {"uint8", {-1, -1, 3}});
    return {static_cast<const std::uint8_t*>(image.data()),
            side(image, "image", 1),
            side(image, "image", 0),
            image.strides(0),
            image.strides(1),
            image.strides(2)};
}

}  // namespace edgeseg::bind
