#pragma once

#include <pybind11/pybind11.h>

namespace edgeseg::bind {

void register_device(pybind11::module_& module);
void register_letterbox(pybind11::module_& module);
void register_decode(pybind11::module_& module);
void register_nms(pybind11::module_& module);
void register_steady(pybind11::module_& module);

}  // namespace edgeseg::bind
