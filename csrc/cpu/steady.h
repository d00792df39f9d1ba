#pragma once

#include "ops/steady.h"

namespace edgeseg::cpu {

core::GridFit grid_fit(const core::GridView& former, const core::GridView& present,
                       const std::vector<core::GridFit>& starts);

void grid_laid(const core::GridView& former, int rows, int columns, const core::GridFit& fit,
               std::uint8_t* out);

float grid_steady(const SteadyState& state, const core::GridView& present, const core::GridFit& fit,
                  const SteadyOut& out);

}  // namespace edgeseg::cpu
