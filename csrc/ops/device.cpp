#include "ops/device.h"

#if defined(EDGESEG_WITH_CUDA)
#include "cuda/device.h"
#endif

namespace edgeseg {

#if defined(EDGESEG_WITH_CUDA)

bool cuda_built() { return true; }

CudaStatus cuda_status() { return cuda::status(); }

#else

bool cuda_built() { return false; }

CudaStatus cuda_status() {
    CudaStatus status;
    status.error = "this build holds no CUDA kernels";
    return status;
}

#endif

int device_count() { return cuda_status().devices; }

void refuse_device(const char* op, Device device) {
    const char* name = device == Device::kCuda ? "cuda" : "cpu";
    throw std::runtime_error(std::string(op) + ": arrays in host memory are not for " + name);
}

}  // namespace edgeseg
