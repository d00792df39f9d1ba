// Memory, streams, graphs and events of the stand-in for the CUDA runtime.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

#include "cuda_runtime.h"

using Work = std::function<cudaError_t()>;

struct OnCpuGraph {
    std::vector<Work> work;
};
struct OnCpuStream {
    OnCpuGraph* capture = nullptr;
};
struct OnCpuEvent {
    std::chrono::steady_clock::time_point at;
};

namespace {

constexpr std::size_t kGuard = 256;
constexpr unsigned char kGuardByte = 0xfd, kUnwritten = 0xcd;

std::map<void*, std::size_t>& allocations() {
    static std::map<void*, std::size_t> all;
    return all;
}

bool guards_stand() {
    for (const auto& [data, bytes] : allocations()) {
        const auto* begin = static_cast<const unsigned char*>(data);
        for (std::size_t i = 0; i < kGuard; ++i) {
            if (begin[-1 - static_cast<std::ptrdiff_t>(i)] != kGuardByte) return false;
            if (begin[bytes + i] != kGuardByte) return false;
        }
    }
    return true;
}

}  // namespace

namespace on_cpu {

cudaError_t enqueue(cudaStream_t stream, Work work) {
    if (stream->capture != nullptr) {
        stream->capture->work.push_back(std::move(work));
        return cudaSuccess;
    }
    const cudaError_t done = work();
    return done != cudaSuccess || guards_stand() ? done : cudaErrorIllegalAddress;
}

}  // namespace on_cpu

cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
        case cudaSuccess:
            return "cudaSuccess";
        case cudaErrorIllegalAddress:
            return "cudaErrorIllegalAddress";
        case cudaErrorLaunchFailure:
            return "cudaErrorLaunchFailure";
        case cudaErrorMemoryAllocation:
            return "cudaErrorMemoryAllocation";
        default:
            return "cudaErrorInvalidValue";
    }
}
const char* cudaGetErrorString(cudaError_t) { return "on the CPU"; }
cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = 1;
    return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { return cudaRuntimeGetVersion(version); }
cudaError_t cudaGetDeviceCount(int* count) {
    *count = 1;
    return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* facts, int) {
    *facts = {};
    std::snprintf(facts->name, sizeof facts->name, "fibers on a CPU");
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidValue; }

cudaError_t cudaMalloc(void** data, std::size_t bytes) {
    if (bytes > std::size_t{1} << 32) return cudaErrorMemoryAllocation;
    const std::size_t whole = (bytes + 2 * kGuard + 255) / 256 * 256;
    auto* memory = static_cast<unsigned char*>(std::aligned_alloc(256, whole));
    if (memory == nullptr) return cudaErrorMemoryAllocation;
    std::memset(memory, kGuardByte, whole);
    std::memset(memory + kGuard, kUnwritten, bytes);
    *data = memory + kGuard;
    allocations()[*data] = bytes;
    return cudaSuccess;
}
cudaError_t cudaFree(void* data) {
    if (data == nullptr) return cudaSuccess;
    allocations().erase(data);
    std::free(static_cast<unsigned char*>(data) - kGuard);
    return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
    return on_cpu::enqueue(stream, [=] {
        std::memcpy(to, from, bytes);
        return cudaSuccess;
    });
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
    return on_cpu::enqueue(stream, [=] {
        std::memset(to, value, bytes);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    *stream = new OnCpuStream;
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    delete stream;
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    return stream->capture == nullptr ? cudaSuccess : cudaErrorStreamCaptureInvalidated;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, int) {
    stream->capture = new OnCpuGraph;
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    if (stream->capture == nullptr) return cudaErrorInvalidValue;
    *graph = stream->capture;
    stream->capture = nullptr;
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* made, cudaGraph_t graph,
                                          unsigned long long) {
    *made = new OnCpuGraph(*graph);
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) { return cudaGraphDestroy(graph); }
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
    for (const Work& work : graph->work) {
        const cudaError_t done = on_cpu::enqueue(stream, work);
        if (done != cudaSuccess) return done;
    }
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
    *event = new OnCpuEvent;
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    return on_cpu::enqueue(stream, [=] {
        event->at = std::chrono::steady_clock::now();
        return cudaSuccess;
    });
}
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t begin, cudaEvent_t end) {
    *ms = std::chrono::duration<float, std::milli>(end->at - begin->at).count();
    return cudaSuccess;
}
