#pragma once

namespace edgeseg {

// Where an op's memory lies and its work is done.
enum class Device { kCpu, kCuda };

// Whether this build holds the CUDA kernels.
bool cuda_built();

// Number of CUDA devices that can be used; 0 without the kernels or without a driver.
int device_count();

// Throws std::runtime_error: the op was asked for a device that this build does not serve.
[[noreturn]] void refuse_device(const char* op, Device device);

}  // namespace edgeseg
