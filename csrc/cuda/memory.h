#pragma once

#include <cuda_runtime.h>

#include <cstddef>

namespace edgeseg::cuda {

// Memory of one device, freed with this object.
class Buffer {
 public:
    explicit Buffer(std::size_t bytes);
    ~Buffer();
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    void* data() const { return data_; }
    std::size_t bytes() const { return bytes_; }

    // Copies are in the stream's order; from and to pageable memory the call returns when the
    // host's side is done with. Throw std::invalid_argument when the range is outside.
    void upload(const void* source, std::size_t bytes, std::size_t offset, cudaStream_t stream);
    void download(void* target, std::size_t bytes, std::size_t offset, cudaStream_t stream) const;
    // All of this into the first bytes of `target`.
    void copy_to(Buffer& target, cudaStream_t stream) const;
    void fill(int value, cudaStream_t stream);

 private:
    void check_range(std::size_t bytes, std::size_t offset) const;

    void* data_ = nullptr;
    std::size_t bytes_;
};

// Memory of the host that the device's copies reach directly, freed with this object.
class HostBuffer {
 public:
    // `mapped`: kernels can read and write it too, where the device maps host memory.
    HostBuffer(std::size_t bytes, bool mapped);
    ~HostBuffer();
    HostBuffer(const HostBuffer&) = delete;
    HostBuffer& operator=(const HostBuffer&) = delete;

    void* data() const { return data_; }
    // Where kernels find it; null when it is not mapped.
    void* on_device() const { return on_device_; }
    std::size_t bytes() const { return bytes_; }

 private:
    void* data_ = nullptr;
    void* on_device_ = nullptr;
    std::size_t bytes_;
};

// Enqueue a copy between any two of: the device's memory, a HostBuffer. Does not wait, and can be
// captured.
void copy(void* target, const void* source, std::size_t bytes, cudaStream_t stream);

struct FreeMemory {
    std::size_t free, total;
};

// Of the current device.
FreeMemory free_memory();

}  // namespace edgeseg::cuda
