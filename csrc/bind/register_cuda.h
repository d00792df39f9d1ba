#pragma once

#include <cuda_runtime.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>

#include "cuda/letterbox.h"
#include "ops/checks.h"

namespace edgeseg::bind {

void register_cuda(pybind11::module_& module);
void register_cuda_memory(pybind11::module_& cuda);
void register_cuda_letterbox(pybind11::module_& cuda);
void register_cuda_detect(pybind11::module_& cuda);
void register_cuda_masks(pybind11::module_& cuda);

template <typename T>
T* device_pointer(std::uintptr_t address) {
    return reinterpret_cast<T*>(address);
}

// Throws ValueError for 0: the default stream would wait for all others.
inline cudaStream_t stream_of(std::uintptr_t handle) {
    if (handle == 0) refuse("stream must be the handle of a stream, not 0, the default stream");
    return reinterpret_cast<cudaStream_t>(handle);
}

inline cuda::FloatType float_type(const std::string& dtype) {
    if (dtype == "float32") return cuda::FloatType::kFloat32;
    if (dtype == "float16") return cuda::FloatType::kFloat16;
    refuse("dtype must be \"float32\" or \"float16\", got \"", dtype, "\"");
}

}  // namespace edgeseg::bind
