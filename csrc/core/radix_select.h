#pragma once

#include <cstdint>

#include "core/hd.h"

namespace edgeseg::core {

constexpr int kDigitBits = 8;
constexpr int kDigits = 1 << kDigitBits;

// The search, from the top digit down, for the `wanted` lowest of keys that all differ. `fixed`
// holds the digits above `shift` + kDigitBits of the last that stays.
struct Selection {
    std::uint64_t fixed;
    int shift;             // of the digit that comes next
    std::uint32_t wanted;  // of the keys in reach
    bool done;

    // No key that stays is above, all others are.
    EDGESEG_HD std::uint64_t highest() const {
        const int open = shift + kDigitBits;
        return open >= 64 ? ~std::uint64_t{0} : fixed | ((std::uint64_t{1} << open) - 1);
    }
};

EDGESEG_HD inline Selection select_from(std::uint32_t wanted) {
    return {0, 64 - kDigitBits, wanted, false};
}

// Whether a key shares all digits that are fixed.
EDGESEG_HD inline bool in_reach(const Selection& selection, std::uint64_t key) {
    const int open = selection.shift + kDigitBits;
    return open >= 64 || (key >> open) == (selection.fixed >> open);
}

EDGESEG_HD inline int digit_of(const Selection& selection, std::uint64_t key) {
    return static_cast<int>(key >> selection.shift) & (kDigits - 1);
}

// Fix the digit of the last key that stays; `counts` are the keys in reach by their digit.
EDGESEG_HD inline Selection narrow(Selection selection, const std::uint32_t* counts) {
    int digit = 0;
    while (digit + 1 < kDigits && counts[digit] < selection.wanted) {
        selection.wanted -= counts[digit];
        ++digit;
    }
    selection.fixed |= static_cast<std::uint64_t>(digit) << selection.shift;
    selection.done = counts[digit] <= selection.wanted || selection.shift == 0;
    selection.shift -= kDigitBits;
    return selection;
}

// The i-th exchange of a step of a bitonic sort.
struct Pair {
    int first, second;
    bool rising;
};

EDGESEG_HD inline Pair bitonic_pair(int i, int run, int step) {
    const int first = 2 * i - (i & (step - 1));
    return {first, first + step, (first & run) == 0};
}

EDGESEG_HD inline int power_of_two_from(int count) {
    int size = 1;
    while (size < count) size *= 2;
    return size;
}

}  // namespace edgeseg::core
