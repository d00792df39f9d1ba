#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/append.h"

namespace edgeseg::cuda {

// What one block sorts in its shared memory; a power of two.
constexpr int kMaxRanked = 4096;

// Bring the `limit` lowest keys, or all when there are fewer, into rising order.
//
// Keys must differ. One kernel of one block; reads the count on the device. Which keys stay does
// not depend on their order in the list.
void rank(const KeyList& list, int limit, std::uint64_t* ranked, std::uint32_t* ranked_count,
          cudaStream_t stream);

}  // namespace edgeseg::cuda
