#pragma once

#include <cstddef>
#include <string>

#include "ops/device.h"

namespace edgeseg::cuda {

CudaStatus status();

struct DeviceFacts {
    std::string name;
    int major, minor;  // compute capability
    int multiprocessors;
    std::size_t memory_bytes, l2_bytes;
    bool integrated;  // shares its memory with the CPU
    bool maps_host_memory;
};

DeviceFacts facts(int device);

// Make `device` the one of this thread.
void use_device(int device);

int current_device();

}  // namespace edgeseg::cuda
