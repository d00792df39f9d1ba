#include <pybind11/stl.h>

#include "bind/register.h"
#include "cpu/simd.h"
#include "ops/device.h"

namespace edgeseg::bind {
namespace {

std::vector<std::string> level_names() {
    std::vector<std::string> names;
    for (const SimdLevel level : simd_levels()) names.emplace_back(name_of(level));
    return names;
}

}  // namespace

void register_device(pybind11::module_& module) {
    module.def("cuda_built", &cuda_built, "Tell whether this build holds the CUDA kernels.");
    module.def("device_count", &device_count, "Count the CUDA devices that can be used.");
    module.def("simd_levels", &level_names,
               "Name the instruction sets that can be forced on this machine, poorest first.");
}

}  // namespace edgeseg::bind
