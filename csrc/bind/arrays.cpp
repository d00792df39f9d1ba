#include "bind/arrays.h"

#include "ops/checks.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

std::string shape_text(const py::array& array) {
    std::string text = py::str(array.dtype());
    text += "[";
    for (int axis = 0; axis < array.ndim(); ++axis) {
        text += (axis ? ", " : "") + std::to_string(array.shape(axis));
    }
    return text + "]";
}

bool has_shape(const py::array& array, const std::vector<py::ssize_t>& shape) {
    if (array.ndim() != static_cast<py::ssize_t>(shape.size())) return false;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        const py::ssize_t size = array.shape(static_cast<py::ssize_t>(axis));
        if (shape[axis] >= 0 && shape[axis] != size) return false;
    }
    return true;
}

}  // namespace

std::string Wanted::text(const char* any) const {
    std::string text = std::string(type) + "[";
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        text += axis ? ", " : "";
        text += shape[axis] < 0 ? std::string(any) : std::to_string(shape[axis]);
    }
    return text + "]";
}

void check(const py::array& array, const std::string& name, const Wanted& wanted, bool right_type) {
    if (!right_type) {
        throw py::type_error(name + " must be " + wanted.text() + ", got " + shape_text(array));
    }
    if (!has_shape(array, wanted.shape)) {
        refuse(name, " must be ", wanted.text(), ", got ", shape_text(array));
    }
    if (!(array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_)) {
        refuse(name, " must be aligned to its elements in memory");
    }
}

void check_adjacent(const py::array& array, const std::string& name, int axis) {
    if (array.shape(axis) > 1 && array.strides(axis) != array.itemsize()) {
        refuse(name, " must have adjacent elements along axis ", axis, ", got a stride of ",
               array.strides(axis), " bytes; pass np.ascontiguousarray(", name, ")");
    }
}

void check_contiguous(const py::array& array, const std::string& name) {
    if (!(array.flags() & py::array::c_style)) {
        refuse(name, " must be contiguous; pass np.ascontiguousarray(", name, ")");
    }
}

void check_writeable(const py::array& array, const std::string& name) {
    if (!array.writeable()) refuse(name, " must be writeable, got a read-only array");
}

}  // namespace edgeseg::bind
