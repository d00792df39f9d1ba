#include "cuda/memory.h"

#include "cuda/check.h"
#include "ops/checks.h"

namespace edgeseg::cuda {

Buffer::Buffer(std::size_t bytes) : bytes_(bytes) {
    if (bytes == 0) refuse("bytes must be 1 or more, got 0");
    EDGESEG_CUDA(cudaMalloc(&data_, bytes));
}

Buffer::~Buffer() { cudaFree(data_); }

void Buffer::check_range(std::size_t bytes, std::size_t offset) const {
    if (offset > bytes_ || bytes > bytes_ - offset) {
        refuse("the range of ", bytes, " bytes from ", offset, " must lie inside of the buffer's ",
               bytes_);
    }
}

void Buffer::upload(const void* source, std::size_t bytes, std::size_t offset,
                    cudaStream_t stream) {
    check_range(bytes, offset);
    EDGESEG_CUDA(cudaMemcpyAsync(static_cast<char*>(data_) + offset, source, bytes,
                                 cudaMemcpyHostToDevice, stream));
}

void Buffer::download(void* target, std::size_t bytes, std::size_t offset,
                      cudaStream_t stream) const {
    check_range(bytes, offset);
    EDGESEG_CUDA(cudaMemcpyAsync(target, static_cast<const char*>(data_) + offset, bytes,
                                 cudaMemcpyDeviceToHost, stream));
    EDGESEG_CUDA(cudaStreamSynchronize(stream));
}

void Buffer::copy_to(Buffer& target, cudaStream_t stream) const {
    target.check_range(bytes_, 0);
    EDGESEG_CUDA(cudaMemcpyAsync(target.data_, data_, bytes_, cudaMemcpyDeviceToDevice, stream));
}

void Buffer::fill(int value, cudaStream_t stream) {
    EDGESEG_CUDA(cudaMemsetAsync(data_, value, bytes_, stream));
}

HostBuffer::HostBuffer(std::size_t bytes, bool mapped) : bytes_(bytes) {
    if (bytes == 0) refuse("bytes must be 1 or more, got 0");
    // Portable: whatever device or thread asks for it.
    EDGESEG_CUDA(
        cudaHostAlloc(&data_, bytes, cudaHostAllocPortable | (mapped ? cudaHostAllocMapped : 0)));
    if (!mapped) return;
    const cudaError_t found = cudaHostGetDevicePointer(&on_device_, data_, 0);
    if (found != cudaSuccess) cudaFreeHost(data_);
    EDGESEG_CUDA(found);
}

HostBuffer::~HostBuffer() { cudaFreeHost(data_); }

void copy(void* target, const void* source, std::size_t bytes, cudaStream_t stream) {
    if (target == nullptr || source == nullptr) refuse("target and source must not be pointer 0");
    EDGESEG_CUDA(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDefault, stream));
}

FreeMemory free_memory() {
    FreeMemory memory{};
    EDGESEG_CUDA(cudaMemGetInfo(&memory.free, &memory.total));
    return memory;
}

}  // namespace edgeseg::cuda
