#pragma once

#include <pybind11/pybind11.h>

namespace edgeseg::bind {

void register_device(pybind11::module_& module);
void register_letterbox(pybind11::module_& module);
void register_decode(pybind11::module_& module);
void register_nms(pybind11::module_& module);
void register_argmax(pybind11::module_& module);
void register_prototypes(pybind11::module_& module);

void register_crop_resize(pybind11::module_& module);
void register_masks(pybind11::module_& module);
void register_polygons(pybind11::module_& module);
void register_rle(pybind11::module_& module);
void register_motion(pybind11::module_& module);
void register_tracker(pybind11::module_& module);

}  // namespace edgeseg::bind
