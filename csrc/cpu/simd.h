#pragma once

#include <string>
#include <vector>

namespace edgeseg {

// Instruction sets that a CPU kernel may be written for, poorest first.
// kCore is no kernel: it loops over the definition in core/, to compare with.
enum class SimdLevel { kCore, kBaseline, kAvx2, kNeon };

// The kernels' levels that this machine runs, poorest first.
std::vector<SimdLevel> simd_levels();

SimdLevel best_simd_level();

const char* name_of(SimdLevel level);

// Also "core", and "auto" for the best. Throws std::invalid_argument when there is no such
// level or this machine lacks it.
SimdLevel simd_level_named(const std::string& name);

}  // namespace edgeseg
