#pragma once

#include <cuda_runtime.h>

namespace edgeseg::cuda {

// Throws DeviceCallError unless `status` is cudaSuccess.
void check(cudaError_t status, const char* call, const char* file, int line);

}  // namespace edgeseg::cuda

#define EDGESEG_CUDA(call) ::edgeseg::cuda::check((call), #call, __FILE__, __LINE__)
