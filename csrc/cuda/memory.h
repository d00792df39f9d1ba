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

}  // namespace edgeseg::cuda
