#pragma once

#include <string>

#include "ops/nms.h"

namespace edgeseg::bind {

// What the words of the Python side mean; throw ValueError for any other.
bool multi_label(const std::string& labels);
Overlap overlap_of(const std::string& kind);

}  // namespace edgeseg::bind
