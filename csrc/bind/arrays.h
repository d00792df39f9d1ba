#pragma once

#include <pybind11/numpy.h>

#include <string>
#include <vector>

namespace edgeseg::bind {

// What an argument must be, to check it and to say so: "float32[M, 4]".
struct Wanted {
    const char* type;
    std::vector<pybind11::ssize_t> shape;  // -1: any

    std::string text(const char* any = "N") const;
};

// Throws TypeError for another type, ValueError for another shape or for memory that is not
// aligned to its elements. `name` is the argument's.
void check(const pybind11::array& array, const std::string& name, const Wanted& wanted,
           bool right_type);

template <typename T>
void check(const pybind11::array& array, const std::string& name, const Wanted& wanted) {
    check(array, name, wanted, pybind11::isinstance<pybind11::array_t<T>>(array));
}

// Throws ValueError unless neighbours along `axis` are adjacent in memory.
void check_adjacent(const pybind11::array& array, const std::string& name, int axis);

// Throws ValueError unless the array lies in memory row after row without gaps.
void check_contiguous(const pybind11::array& array, const std::string& name);

// Throws ValueError when the array cannot be written to.
void check_writeable(const pybind11::array& array, const std::string& name);

// The distance along `axis` in elements; 0 where there is but one, whatever NumPy says.
template <typename T>
std::ptrdiff_t stride(const pybind11::array& array, int axis) {
    if (array.shape(axis) < 2) return 0;
    return array.strides(axis) / static_cast<std::ptrdiff_t>(sizeof(T));
}

// A new array holding `values`.
template <typename T>
pybind11::array_t<T> to_array(const std::vector<T>& values) {
    return pybind11::array_t<T>(static_cast<pybind11::ssize_t>(values.size()), values.data());
}

}  // namespace edgeseg::bind
