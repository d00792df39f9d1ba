#pragma once

#include <stdexcept>
#include <string>

namespace edgeseg {

// Where an op's memory lies and its work is done.
enum class Device { kCpu, kCuda };

// A call to the CUDA runtime or driver failed: what it says, the call and its place.
class DeviceCallError : public std::runtime_error {
 public:
    using std::runtime_error::runtime_error;
};

// Whether this build holds the CUDA kernels.
bool cuda_built();

// Number of CUDA devices that can be used; 0 without the kernels or without a driver.
int device_count();

// Why there is no device, in the runtime's own words, or what there is.
struct CudaStatus {
    int devices = 0;
    std::string error;        // empty when all is well
    int runtime_version = 0;  // 13000 is 13.0; 0 without the kernels
    int driver_version = 0;   // the newest CUDA that the driver knows; 0 without a driver
};

CudaStatus cuda_status();

// Throws std::runtime_error: the op was asked for a device that this build does not serve.
[[noreturn]] void refuse_device(const char* op, Device device);

}  // namespace edgeseg
