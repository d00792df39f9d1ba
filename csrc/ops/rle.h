#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/masks.h"

namespace edgeseg {

// Where a mask lies in a frame that is otherwise empty, in pixels.
struct FramePlace {
    int x, y, width, height;  // the mask's left top corner; the frame
};

// Give a mask (not 0: mask) as COCO's compressed run lengths: the text that pycocotools gives for
// the whole frame, which is never made.
//
// Runs go down the columns, from left to right, in turn without and with mask, the first without
// (and 0 long when pixel 0 is mask). From the fourth on a run is written as its difference from
// the last but one; a number in groups of five bits, the lowest first, in two's complement, each
// with a sixth bit while more follow, plus 48 as a character. The rules are those of the
// reference implementation (rleToString in pycocotools' maskApi.c).
//
// Throws std::invalid_argument when the mask does not lie inside of the frame or a side is over
// 65535.
std::string rle_encode(const core::GridView& mask, const FramePlace& place);

// Read the runs of a mask of width x height pixels.
//
// Throws std::invalid_argument for a character that is none of the 64, a text that ends inside of
// a number, a run that is negative, and runs that do not sum up to height x width exactly.
std::vector<std::int64_t> rle_runs(const std::string& text, int width, int height);

// Write the mask that rle_runs gave the runs of to `out`, 0 and 1, row by row.
void rle_fill(const std::vector<std::int64_t>& runs, int width, int height, std::uint8_t* out);

}  // namespace edgeseg
