#pragma once

#include <sstream>
#include <stdexcept>

namespace edgeseg {

// Throw std::invalid_argument with all `parts` in a row.
template <typename... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
    std::ostringstream text;
    (text << ... << parts);
    throw std::invalid_argument(text.str());
}

}  // namespace edgeseg
