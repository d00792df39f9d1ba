// Memory, streams, graphs and events of the stand-in for the CUDA runtime.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "cuda_runtime.h"

using Work = std::function<cudaError_t()>;

struct OnCpuGraph {
    std::vector<Work> work;
};
struct OnCpuStream {
    OnCpuGraph* capture = nullptr;
    std::vector<Work> waiting;
};
struct OnCpuEvent {
    // Outlives the event, as a device's does: its work may be due later.
    std::shared_ptr<std::chrono::steady_clock::time_point> at =
        std::make_shared<std::chrono::steady_clock::time_point>();
    cudaStream_t stream = nullptr;
};

namespace {

constexpr std::size_t kGuard = 256;
constexpr unsigned char kGuardByte = 0xfd, kUnwritten = 0xcd;

bool lazy = false, integrated = false, break_capture = false;
// One grid at a time: its threads are fibers of one thread.
std::recursive_mutex running;
std::mutex bookkeeping;

std::map<void*, std::size_t>& allocations() {
    static std::map<void*, std::size_t> all;
    return all;
}

std::set<cudaStream_t>& streams() {
    static std::set<cudaStream_t> all;
    return all;
}

bool guards_stand() {
    const std::lock_guard<std::mutex> lock(bookkeeping);
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

namespace {

cudaError_t done_now(const Work& work) {
    const std::lock_guard<std::recursive_mutex> lock(running);
    const cudaError_t done = work();
    return done != cudaSuccess || guards_stand() ? done : cudaErrorIllegalAddress;
}

cudaError_t drain(cudaStream_t stream) {
    std::vector<Work> waiting;
    waiting.swap(stream->waiting);
    for (const Work& work : waiting) {
        const cudaError_t done = done_now(work);
        if (done != cudaSuccess) return done;
    }
    return cudaSuccess;
}

void drain_all() {
    for (cudaStream_t stream : streams()) {
        if (stream->capture == nullptr) drain(stream);
    }
}

}  // namespace

namespace on_cpu {

cudaError_t enqueue(cudaStream_t stream, Work work) {
    if (stream->capture != nullptr) {
        stream->capture->work.push_back(std::move(work));
        return cudaSuccess;
    }
    if (lazy) {
        stream->waiting.push_back(std::move(work));
        return cudaSuccess;
    }
    return done_now(work);
}

void set_lazy(bool wanted) {
    drain_all();
    lazy = wanted;
}
void set_integrated(bool wanted) { integrated = wanted; }
void break_next_capture() { break_capture = true; }

std::size_t bytes_allocated() {
    const std::lock_guard<std::mutex> lock(bookkeeping);
    std::size_t sum = 0;
    for (const auto& [data, bytes] : allocations()) sum += bytes;
    return sum;
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
        case cudaErrorStreamCaptureInvalidated:
            return "cudaErrorStreamCaptureInvalidated";
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
    facts->integrated = facts->canMapHostMemory = integrated;
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidValue; }
cudaError_t cudaGetDevice(int* device) {
    *device = 0;
    return cudaSuccess;
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    *total = std::size_t{1} << 32;
    *free = *total - on_cpu::bytes_allocated();
    return cudaSuccess;
}

cudaError_t cudaMalloc(void** data, std::size_t bytes) {
    if (bytes > std::size_t{1} << 32) return cudaErrorMemoryAllocation;
    const std::size_t whole = (bytes + 2 * kGuard + 255) / 256 * 256;
    auto* memory = static_cast<unsigned char*>(std::aligned_alloc(256, whole));
    if (memory == nullptr) return cudaErrorMemoryAllocation;
    std::memset(memory, kGuardByte, whole);
    std::memset(memory + kGuard, kUnwritten, bytes);
    *data = memory + kGuard;
    const std::lock_guard<std::mutex> lock(bookkeeping);
    allocations()[*data] = bytes;
    return cudaSuccess;
}
cudaError_t cudaFree(void* data) {
    if (data == nullptr) return cudaSuccess;
    if (lazy) drain_all();
    const std::lock_guard<std::mutex> lock(bookkeeping);
    allocations().erase(data);
    std::free(static_cast<unsigned char*>(data) - kGuard);
    return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** data, std::size_t bytes, unsigned) {
    return cudaMalloc(data, bytes);
}
cudaError_t cudaHostGetDevicePointer(void** on_device, void* data, unsigned) {
    *on_device = data;
    return cudaSuccess;
}
cudaError_t cudaFreeHost(void* data) { return cudaFree(data); }
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    if (lazy && kind == cudaMemcpyHostToDevice && stream->capture == nullptr) {
        // Pageable memory is read before the call returns.
        const auto* begin = static_cast<const unsigned char*>(from);
        const std::vector<unsigned char> staged(begin, begin + bytes);
        return on_cpu::enqueue(stream, [=] {
            std::memcpy(to, staged.data(), bytes);
            return cudaSuccess;
        });
    }
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
    const std::lock_guard<std::mutex> lock(bookkeeping);
    streams().insert(*stream);
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    if (lazy) drain(stream);
    const std::lock_guard<std::mutex> lock(bookkeeping);
    streams().erase(stream);
    delete stream;
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    return stream->capture == nullptr ? drain(stream) : cudaErrorStreamCaptureInvalidated;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    const cudaStream_t other = event->stream;
    return on_cpu::enqueue(stream, [=] { return drain(other); });
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, int) {
    stream->capture = new OnCpuGraph;
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    if (stream->capture == nullptr) return cudaErrorInvalidValue;
    *graph = stream->capture;
    stream->capture = nullptr;
    if (!break_capture) return cudaSuccess;
    break_capture = false;
    delete *graph;
    *graph = nullptr;
    return cudaErrorStreamCaptureInvalidated;
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

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    *event = new OnCpuEvent;
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    event->stream = stream;
    return on_cpu::enqueue(stream, [at = event->at] {
        *at = std::chrono::steady_clock::now();
        return cudaSuccess;
    });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    return event->stream == nullptr ? cudaSuccess : drain(event->stream);
}
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t begin, cudaEvent_t end) {
    *ms = std::chrono::duration<float, std::milli>(*end->at - *begin->at).count();
    return cudaSuccess;
}
