// Stands in for the CUDA runtime so that the kernels' own source runs on a CPU.
//
// A thread of a block is a fiber; barriers and warp collectives switch between them, in an order
// that changes from launch to launch. It shows what a kernel computes, whether it keeps to
// its memory and whether its barriers fit. It says nothing of speed, nor of memory ordering.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

#define EDGESEG_KERNELS_ON_CPU 1
#define EDGESEG_DYNAMIC_SHARED(Type, name) Type* name = static_cast<Type*>(on_cpu::dynamic_shared())
#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __grid_constant__
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
extern dim3 threadIdx, blockIdx, blockDim, gridDim;

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorIllegalAddress = 700,
    cudaErrorLaunchFailure = 719,
    cudaErrorStreamCaptureInvalidated = 901,
};
enum cudaMemcpyKind {
    cudaMemcpyHostToDevice,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice,
    cudaMemcpyDefault,
};
constexpr unsigned cudaHostAllocPortable = 1, cudaHostAllocMapped = 2;
constexpr unsigned cudaEventBlockingSync = 1;
constexpr unsigned cudaStreamNonBlocking = 1;
constexpr int cudaStreamCaptureModeThreadLocal = 1;

using cudaStream_t = struct OnCpuStream*;
using cudaEvent_t = struct OnCpuEvent*;
using cudaGraph_t = struct OnCpuGraph*;
using cudaGraphExec_t = cudaGraph_t;

struct cudaDeviceProp {
    char name[256];
    int major, minor, multiProcessorCount, l2CacheSize, integrated, canMapHostMemory;
    std::size_t totalGlobalMem;
};
struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    std::size_t dynamicSmemBytes;
    cudaStream_t stream;
};

cudaError_t cudaGetLastError();
const char* cudaGetErrorName(cudaError_t);
const char* cudaGetErrorString(cudaError_t);
cudaError_t cudaRuntimeGetVersion(int*);
cudaError_t cudaDriverGetVersion(int*);
cudaError_t cudaGetDeviceCount(int*);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp*, int);
cudaError_t cudaSetDevice(int);
cudaError_t cudaGetDevice(int*);
cudaError_t cudaMemGetInfo(std::size_t*, std::size_t*);
cudaError_t cudaHostAlloc(void**, std::size_t, unsigned);
cudaError_t cudaHostGetDevicePointer(void**, void*, unsigned);
cudaError_t cudaFreeHost(void*);
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned);
cudaError_t cudaMalloc(void**, std::size_t);
cudaError_t cudaFree(void*);
cudaError_t cudaMemcpyAsync(void*, const void*, std::size_t, cudaMemcpyKind, cudaStream_t);
cudaError_t cudaMemsetAsync(void*, int, std::size_t, cudaStream_t);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t*, unsigned);
cudaError_t cudaStreamDestroy(cudaStream_t);
cudaError_t cudaStreamSynchronize(cudaStream_t);
cudaError_t cudaStreamBeginCapture(cudaStream_t, int);
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t*);
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t*, cudaGraph_t, unsigned long long);
cudaError_t cudaGraphDestroy(cudaGraph_t);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t);
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t*, unsigned);
cudaError_t cudaEventDestroy(cudaEvent_t);
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t);
cudaError_t cudaEventSynchronize(cudaEvent_t);
cudaError_t cudaEventElapsedTime(float*, cudaEvent_t, cudaEvent_t);

namespace on_cpu {

cudaError_t enqueue(cudaStream_t, std::function<cudaError_t()>);
// With `lazy` work is done when somebody waits for it, as late as a device may.
void set_lazy(bool lazy);
void set_integrated(bool integrated);
// The next capture ends as one that a call broke.
void break_next_capture();
std::size_t bytes_allocated();
cudaError_t run_grid(const cudaLaunchConfig_t&, const std::function<void()>& thread);
void* dynamic_shared();
void block_barrier();
// Every lane of a warp gives a value and gets those of all 32. `kind` must be the same in all.
const std::uint64_t* exchange(unsigned mask, std::uint64_t value, int kind);
int lane();

template <typename T>
T exchanged(unsigned mask, T value, int from, int kind) {
    static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    const std::uint64_t chosen = exchange(mask, bits, kind)[from];
    std::memcpy(&value, &chosen, sizeof value);
    return value;
}

}  // namespace on_cpu

template <typename... Parameters, typename... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments... arguments) {
    const cudaLaunchConfig_t kept = *config;
    return on_cpu::enqueue(kept.stream,
                           [=] { return on_cpu::run_grid(kept, [&] { kernel(arguments...); }); });
}

inline void __syncthreads() { on_cpu::block_barrier(); }

template <typename T>
T __shfl_sync(unsigned mask, T value, int from) {
    return on_cpu::exchanged(mask, value, from, 1);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int apart) {
    return on_cpu::exchanged(mask, value, on_cpu::lane() ^ apart, 2);
}
inline unsigned __ballot_sync(unsigned mask, bool vote) {
    const std::uint64_t* votes = on_cpu::exchange(mask, vote ? 1 : 0, 3);
    unsigned all = 0;
    for (int i = 0; i < 32; ++i) all |= static_cast<unsigned>(votes[i]) << i;
    return all;
}
inline int __ffs(int word) { return __builtin_ffs(word); }
inline int __popc(unsigned word) { return __builtin_popcount(word); }
template <typename T>
T __ldg(const T* pointer) {
    return *pointer;
}
template <typename T>
void __stwb(T* pointer, T value) {
    *pointer = value;
}
template <typename T>
T atomicAdd(T* target, T value) {
    const T before = *target;
    *target += value;
    return before;
}
template <typename T>
T atomicOr(T* target, T value) {
    const T before = *target;
    *target |= value;
    return before;
}
