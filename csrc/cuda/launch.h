#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "cuda/check.h"

#if !defined(EDGESEG_DYNAMIC_SHARED)
// The block's shared memory whose size the launch gives.
#define EDGESEG_DYNAMIC_SHARED(Type, name) extern __shared__ Type name[]
#endif

namespace edgeseg::cuda {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

struct LaunchShape {
    dim3 grid, block;
    std::size_t shared_bytes = 0;
};

// Launch `kernel`; the fault of an earlier asynchronous call shows here too.
template <typename... Parameters>
void launch(void (*kernel)(Parameters...), const LaunchShape& shape, cudaStream_t stream,
            Parameters... arguments) {
    cudaLaunchConfig_t config{};
    config.gridDim = shape.grid;
    config.blockDim = shape.block;
    config.dynamicSmemBytes = shape.shared_bytes;
    config.stream = stream;
    EDGESEG_CUDA(cudaLaunchKernelEx(&config, kernel, arguments...));
}

}  // namespace edgeseg::cuda
