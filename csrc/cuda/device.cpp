#include "cuda/device.h"

#include "cuda/check.h"

namespace edgeseg::cuda {

CudaStatus status() {
    CudaStatus status;
    cudaRuntimeGetVersion(&status.runtime_version);
    cudaDriverGetVersion(&status.driver_version);
    const cudaError_t error = cudaGetDeviceCount(&status.devices);
    if (error != cudaSuccess) {
        cudaGetLastError();  // or the next launch reports this error once more
        status.devices = 0;
        status.error = std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error);
    }
    return status;
}

DeviceFacts facts(int device) {
    cudaDeviceProp found{};
    EDGESEG_CUDA(cudaGetDeviceProperties(&found, device));
    return {found.name,
            found.major,
            found.minor,
            found.multiProcessorCount,
            found.totalGlobalMem,
            static_cast<std::size_t>(found.l2CacheSize),
            found.integrated != 0,
            found.canMapHostMemory != 0};
}

void use_device(int device) { EDGESEG_CUDA(cudaSetDevice(device)); }

int current_device() {
    int device = 0;
    EDGESEG_CUDA(cudaGetDevice(&device));
    return device;
}

}  // namespace edgeseg::cuda
