#include "ops/device.h"

#include <stdexcept>
#include <string>

namespace edgeseg {

bool cuda_built() { return false; }

int device_count() { return 0; }

void refuse_device(const char* op, Device device) {
    const char* name = device == Device::kCuda ? "cuda" : "cpu";
    throw std::runtime_error(std::string(op) + ": this build has no kernels for " + name);
}

}  // namespace edgeseg
