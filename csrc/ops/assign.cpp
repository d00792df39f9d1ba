#include "ops/assign.h"

#include <cmath>

#include "cpu/assign.h"
#include "ops/checks.h"

namespace edgeseg {

std::vector<std::int64_t> assign(const double* weights, std::int64_t rows, std::int64_t columns) {
    for (std::int64_t i = 0; i < rows * columns; ++i) {
        if (std::isinf(weights[i])) refuse("weights must be finite, got ", weights[i]);
    }
    std::vector<cpu::WeightedPair> pairs;
    for (std::int64_t i = 0; i < rows * columns; ++i) {
        if (weights[i] > 0.0) {
            pairs.push_back(
                {static_cast<int>(i / columns), static_cast<int>(i % columns), weights[i]});
        }
    }
    const std::vector<int> chosen =
        cpu::assign(pairs, static_cast<int>(rows), static_cast<int>(columns));
    return {chosen.begin(), chosen.end()};
}

}  // namespace edgeseg
