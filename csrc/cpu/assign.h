#pragma once

#include <vector>

namespace edgeseg::cpu {

// A pair that may be chosen, and what it is worth; above 0 and finite.
struct WeightedPair {
    int row, column;
    double weight;
};

// edgeseg::assign for the pairs that may be chosen, each listed once: row's column, or -1.
std::vector<int> assign(const std::vector<WeightedPair>& pairs, int rows, int columns);

}  // namespace edgeseg::cpu
