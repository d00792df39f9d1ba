#include "core/radix_select.h"
#include "cuda/launch.h"
#include "cuda/rank.h"

namespace edgeseg::cuda {
namespace {

constexpr int kThreads = 1024;
constexpr std::uint64_t kNoKey = ~std::uint64_t{0};

// The highest of the `limit` lowest keys, or one between it and the next. Digit by digit from
// the top: count the keys in reach by their digit, go on within the one that holds the last.
__device__ std::uint64_t last_to_stay(const std::uint64_t* keys, std::uint32_t count,
                                      std::uint32_t limit) {
    __shared__ std::uint32_t counts[core::kDigits];
    __shared__ core::Selection selection;
    if (threadIdx.x == 0) selection = core::select_from(limit);
    __syncthreads();
    while (!selection.done) {
        if (threadIdx.x < core::kDigits) counts[threadIdx.x] = 0;
        __syncthreads();
        for (std::uint32_t i = threadIdx.x; i < count; i += kThreads) {
            if (core::in_reach(selection, keys[i])) {
                atomicAdd(&counts[core::digit_of(selection, keys[i])], 1u);
            }
        }
        __syncthreads();
        if (threadIdx.x == 0) selection = core::narrow(selection, counts);
        __syncthreads();
    }
    return selection.highest();
}

// Bitonic: `size` is a power of two.
__device__ void sort_shared(std::uint64_t* keys, int size) {
    for (int run = 2; run <= size; run *= 2) {
        for (int step = run / 2; step > 0; step /= 2) {
            for (int i = static_cast<int>(threadIdx.x); i < size / 2; i += kThreads) {
                const core::Pair pair = core::bitonic_pair(i, run, step);
                const std::uint64_t first = keys[pair.first], second = keys[pair.second];
                if ((first > second) == pair.rising) {
                    keys[pair.first] = second;
                    keys[pair.second] = first;
                }
            }
            __syncthreads();
        }
    }
}

__global__ void __launch_bounds__(kThreads)
    rank_keys(KeyList list, std::uint32_t limit, std::uint64_t* ranked,
              std::uint32_t* ranked_count) {
    __shared__ std::uint64_t best[kMaxRanked];
    __shared__ std::uint32_t taken;
    const std::uint32_t count = *list.count < list.capacity ? *list.count : list.capacity;
    const std::uint32_t stay = count < limit ? count : limit;
    const int size = core::power_of_two_from(static_cast<int>(stay));
    const std::uint64_t last = count > limit ? last_to_stay(list.keys, count, limit) : kNoKey;
    if (threadIdx.x == 0) taken = 0;
    for (int i = static_cast<int>(stay + threadIdx.x); i < size; i += kThreads) best[i] = kNoKey;
    __syncthreads();
    for (std::uint32_t i = threadIdx.x; i < count; i += kThreads) {
        const std::uint64_t key = list.keys[i];
        if (key <= last) best[atomicAdd(&taken, 1u)] = key;
    }
    __syncthreads();
    sort_shared(best, size);
    for (std::uint32_t i = threadIdx.x; i < stay; i += kThreads) ranked[i] = best[i];
    if (threadIdx.x == 0) *ranked_count = stay;
}

}  // namespace

void rank(const KeyList& list, int limit, std::uint64_t* ranked, std::uint32_t* ranked_count,
          cudaStream_t stream) {
    launch(&rank_keys, {dim3(1), dim3(kThreads)}, stream, list, static_cast<std::uint32_t>(limit),
           ranked, ranked_count);
}

}  // namespace edgeseg::cuda
