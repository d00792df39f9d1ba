#pragma once

#include <cstddef>

#include "cuda/detect.h"

namespace edgeseg::cuda {

// Hands out the parts of a workspace one after another, each aligned to 16 bytes. Without
// memory it counts what is needed.
class Arena {
 public:
    explicit Arena(void* data) : data_(static_cast<char*>(data)) {}

    template <typename T>
    T* take(std::size_t count) {
        char* part = data_ == nullptr ? nullptr : data_ + used_;
        used_ += (count * sizeof(T) + 15) / 16 * 16;
        return reinterpret_cast<T*>(part);
    }

    std::size_t used() const { return used_; }

 private:
    char* data_;
    std::size_t used_ = 0;
};

// Throws std::invalid_argument when the workspace has less than `needed` bytes or is not aligned.
void check_workspace(const Workspace& workspace, std::size_t needed);

}  // namespace edgeseg::cuda
