#pragma once

#include "cuda/detect.h"

namespace edgeseg::cuda {

// Throw std::invalid_argument when a number of the job is out of range (check_sizes), or memory is
// missing as well (check_job).
void check_sizes(const NmsJob& job);
void check_job(const NmsJob& job);

}  // namespace edgeseg::cuda
