#include "bind/names.h"

#include "ops/checks.h"

namespace edgeseg::bind {

bool multi_label(const std::string& labels) {
    if (labels == "multi") return true;
    if (labels == "best") return false;
    refuse("labels must be \"multi\" or \"best\", got \"", labels, "\"");
}

Overlap overlap_of(const std::string& kind) {
    if (kind == "greedy") return Overlap::kIou;
    if (kind == "diou") return Overlap::kDiou;
    refuse("kind must be \"greedy\" or \"diou\", got \"", kind, "\"");
}

}  // namespace edgeseg::bind
