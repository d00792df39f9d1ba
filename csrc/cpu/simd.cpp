#include "cpu/simd.h"

#include "ops/checks.h"

namespace edgeseg {

std::vector<SimdLevel> simd_levels() {
    std::vector<SimdLevel> levels = {SimdLevel::kBaseline};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) levels.push_back(SimdLevel::kAvx2);
#elif defined(__aarch64__)
    levels.push_back(SimdLevel::kNeon);
#endif
    return levels;
}

SimdLevel best_simd_level() {
    static const SimdLevel best = simd_levels().back();
    return best;
}

const char* name_of(SimdLevel level) {
    switch (level) {
        case SimdLevel::kCore:
            return "core";
        case SimdLevel::kBaseline:
            return "baseline";
        case SimdLevel::kAvx2:
            return "avx2";
        case SimdLevel::kNeon:
            return "neon";
    }
    return "unknown";
}

SimdLevel simd_level_named(const std::string& name) {
    if (name == "auto") return best_simd_level();
    if (name == name_of(SimdLevel::kCore)) return SimdLevel::kCore;
    std::string known = "auto, core";
    for (const SimdLevel level : simd_levels()) {
        if (name == name_of(level)) return level;
        known += std::string(", ") + name_of(level);
    }
    refuse("simd must be one of ", known, " on this machine, got \"", name, "\"");
}

}  // namespace edgeseg
