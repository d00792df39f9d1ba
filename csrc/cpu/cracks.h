#pragma once

#include <cstddef>
#include <vector>

#include "core/masks.h"

namespace edgeseg::cpu {

// The edge between pixels x - 1 and x of row y, of which one is mask.
struct Crack {
    int x, y;
    bool opens;                                           // the mask is at its right
    bool begins_at_cross = false, ends_at_cross = false;  // where pixels meet by a corner only
    std::size_t next = 0;  // the crack that follows with the mask on the right hand

    // One goes up where the mask opens and down where it closes.
    int begin_y() const { return opens ? y + 1 : y; }
    int end_y() const { return opens ? y : y + 1; }
};

// All cracks of a mask, in the order of rows and columns: number 2 k opens run k of mask pixels
// and 2 k + 1 closes it.
struct Cracks {
    std::vector<Crack> all;
    std::vector<std::size_t> part_of;  // run -> first run of its part
};

Cracks find_cracks(const core::GridView& mask);

}  // namespace edgeseg::cpu
