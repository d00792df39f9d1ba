#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace edgeseg::cuda {

// Sort keys in device memory, in no order, and how many there are.
struct KeyList {
    std::uint64_t* keys;
    std::uint32_t* count;
    std::uint32_t capacity;
};

#if defined(__CUDACC__) || defined(EDGESEG_KERNELS_ON_CPU)

// Append the keys of those lanes of a warp that have one: one atomic for all of them. Every lane
// must call it.
__device__ inline void append(const KeyList& list, bool wanted, std::uint64_t key) {
    const unsigned lanes = __ballot_sync(kAllLanes, wanted);
    if (lanes == 0) return;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int leader = __ffs(static_cast<int>(lanes)) - 1;
    std::uint32_t first = 0;
    if (lane == leader) first = atomicAdd(list.count, static_cast<unsigned>(__popc(lanes)));
    first = __shfl_sync(kAllLanes, first, leader);
    const std::uint32_t place =
        first + static_cast<std::uint32_t>(__popc(lanes & ((1u << lane) - 1u)));
    if (wanted && place < list.capacity) list.keys[place] = key;
}

#endif

}  // namespace edgeseg::cuda
