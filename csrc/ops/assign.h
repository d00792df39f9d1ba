#pragma once

#include <cstdint>
#include <vector>

namespace edgeseg {

// Choose pairs of a row and a column, each at most once, so that the sum of their weights is
// the largest possible, and give each row's column, or -1.
//
// `weights` holds rows * columns numbers, row after row. Only pairs of a weight above 0 are
// chosen; NaN is no weight. The result is exact, and the same for the same weights.
//
// Throws std::invalid_argument when a weight is infinite.
std::vector<std::int64_t> assign(const double* weights, std::int64_t rows, std::int64_t columns);

}  // namespace edgeseg
