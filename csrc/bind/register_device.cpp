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

pybind11::dict bound_status() {
    const CudaStatus found = cuda_status();
    pybind11::dict status;
    status["cuda_built"] = cuda_built();
    status["devices"] = found.devices;
    status["error"] = found.error;
    status["runtime_version"] = found.runtime_version;
    status["driver_version"] = found.driver_version;
    return status;
}

// A failed call to the device becomes edgeseg.errors.DeviceError.
void translate_device_errors() {
    pybind11::register_local_exception_translator([](std::exception_ptr thrown) {
        if (!thrown) return;
        try {
            std::rethrow_exception(thrown);
        } catch (const DeviceCallError& error) {
            const auto errors = pybind11::module_::import("edgeseg.errors");
            pybind11::set_error(errors.attr("DeviceError"), error.what());
        }
    });
}

}  // namespace

void register_device(pybind11::module_& module) {
    module.def("cuda_built", &cuda_built, "Tell whether this build holds the CUDA kernels.");
    module.def("device_count", &device_count, "Count the CUDA devices that can be used.");
    module.def("cuda_status", &bound_status,
               "Tell what the CUDA runtime and the driver say of this machine.");
    translate_device_errors();
    module.def("simd_levels", &level_names,
               "Name the instruction sets that can be forced on this machine, poorest first.");
}

}  // namespace edgeseg::bind
