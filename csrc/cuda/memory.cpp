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

}  // namespace edgeseg::cuda
