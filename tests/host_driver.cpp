// A CUDA driver whose device memory is the host's: as strict about contexts as a real one.
//
// Its streams are those of the kernels' stand-in (kernels_on_cpu/runtime.cpp), which does its work
// at once unless told otherwise; zeroed memory is one without work.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

namespace {

enum { kSuccess = 0, kInvalidValue = 1, kOutOfMemory = 2, kInvalidContext = 201, kInvalidDevice = 101 };

int primary;  // its address is the primary context's handle
thread_local std::vector<void*> contexts;
std::mutex guard;
std::map<void*, std::size_t> memory;
int retained = 0, streams = 0, events = 0, others = 0;

bool current() { return !contexts.empty() && contexts.back() == &primary; }

int take(void** pointer, std::size_t bytes) {
    if (!current()) return kInvalidContext;
    if (bytes > std::size_t{1} << 32) return kOutOfMemory;
    *pointer = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    std::memset(*pointer, 0xcd, bytes);
    const std::lock_guard<std::mutex> lock(guard);
    memory[*pointer] = bytes;
    return kSuccess;
}

int give_back(void* pointer) {
    const std::lock_guard<std::mutex> lock(guard);
    if (!current() || memory.erase(pointer) == 0) return kInvalidContext;
    std::free(pointer);
    return kSuccess;
}

}  // namespace

extern "C" {

// For the test: what is still held, and whether a context that is not the primary one was made.
void host_driver_state(int* state) {
    state[0] = retained;
    state[1] = static_cast<int>(memory.size());
    state[2] = streams;
    state[3] = events;
    state[4] = others;
    state[5] = static_cast<int>(contexts.size());
}

int cuInit(unsigned) { return kSuccess; }
int cuDriverGetVersion(int* version) {
    *version = 13000;
    return kSuccess;
}
int cuGetErrorString(int code, const char** text) {
    *text = code == kOutOfMemory ? "out of memory" : "host driver error";
    return kSuccess;
}
int cuDeviceGetCount(int* count) {
    *count = 1;
    return kSuccess;
}
int cuDeviceGet(int* device, int index) {
    *device = index;
    return index == 0 ? kSuccess : kInvalidDevice;
}
int cuDevicePrimaryCtxRetain(void** context, int) {
    ++retained;
    *context = &primary;
    return kSuccess;
}
int cuDevicePrimaryCtxRelease_v2(int) {
    --retained;
    return kSuccess;
}
int cuCtxCreate_v4(void**, void*, unsigned, int) {
    ++others;
    return kInvalidContext;
}
int cuCtxPushCurrent_v2(void* context) {
    if (context != &primary || retained < 1) return kInvalidContext;
    contexts.push_back(context);
    return kSuccess;
}
int cuCtxPopCurrent_v2(void** context) {
    if (contexts.empty()) return kInvalidContext;
    *context = contexts.back();
    contexts.pop_back();
    return kSuccess;
}
int cuMemAlloc_v2(void** pointer, std::size_t bytes) { return take(pointer, bytes); }
int cuMemFree_v2(void* pointer) { return give_back(pointer); }
int cuMemHostAlloc(void** pointer, std::size_t bytes, unsigned) { return take(pointer, bytes); }
int cuMemFreeHost(void* pointer) { return give_back(pointer); }
int cuMemHostGetDevicePointer_v2(void** on_device, void* pointer, unsigned) {
    *on_device = pointer;
    return current() ? kSuccess : kInvalidContext;
}
int cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
    *free = std::size_t{3} << 30;
    *total = std::size_t{4} << 30;
    return current() ? kSuccess : kInvalidContext;
}
int cuStreamCreate(void** stream, unsigned flags) {
    // Only a stream that does not wait for the default one will do.
    if (flags != 1) return kInvalidValue;
    if (!current()) return kInvalidContext;
    *stream = std::calloc(1, 256);
    ++streams;
    return kSuccess;
}
int cuStreamDestroy_v2(void* stream) {
    std::free(stream);
    --streams;
    return kSuccess;
}
int cuStreamSynchronize(void*) { return current() ? kSuccess : kInvalidContext; }
int cuEventCreate(void** event, unsigned flags) {
    if (flags != 1) return kInvalidValue;  // CU_EVENT_BLOCKING_SYNC
    if (!current()) return kInvalidContext;
    *event = std::calloc(1, 64);
    ++events;
    return kSuccess;
}
int cuEventDestroy_v2(void* event) {
    std::free(event);
    --events;
    return kSuccess;
}
int cuEventRecord(void*, void* stream) {
    return current() && stream != nullptr ? kSuccess : kInvalidContext;
}
int cuEventSynchronize(void*) { return current() ? kSuccess : kInvalidContext; }
}
