#pragma once

#include "core/candidates.h"
#include "cuda/detect.h"

namespace edgeseg::cuda {

// The heads as kernels take them. Throws std::invalid_argument as cuda::decode promises, but for
// the heads' memory, which workspace sizes do not need: check_head_memory.
core::HeadPlans plan_heads(const DecodeJob& job);
void check_head_memory(const DecodeJob& job);

// Throws std::invalid_argument unless all of `list` is there, with room for `count`.
void check_candidates(const CandidateList& list, int count);

}  // namespace edgeseg::cuda
