#include "ops/steady.h"

#include <cmath>

#include "cpu/steady.h"
#include "ops/checks.h"

namespace edgeseg {
namespace {

void check_grid(const core::GridView& grid, const char* name) {
    if (grid.rows < 1 || grid.columns < 1 || grid.rows > 4096 || grid.columns > 4096) {
        refuse(name, " must have 1 to 4096 rows and columns, got ", grid.rows, " x ", grid.columns);
    }
}

bool finite(const core::GridFit& fit) {
    return std::isfinite(fit.scale_x) && std::isfinite(fit.shift_x) && std::isfinite(fit.scale_y) &&
           std::isfinite(fit.shift_y);
}

}  // namespace

core::GridFit grid_fit(Device device, const core::GridView& former, const core::GridView& present,
                       const std::vector<core::GridFit>& starts) {
    check_grid(former, "former");
    check_grid(present, "present");
    if (starts.empty()) refuse("starts must hold one fit at least");
    for (const core::GridFit& start : starts) {
        if (!finite(start)) refuse("starts must be finite");
    }
    if (device != Device::kCpu) refuse_device("grid_fit", device);
    return cpu::grid_fit(former, present, starts);
}

void grid_laid(Device device, const core::GridView& former, int rows, int columns,
               const core::GridFit& fit, std::uint8_t* out) {
    check_grid(former, "former");
    check_grid({nullptr, rows, columns, 0}, "shape");
    if (!finite(fit)) refuse("fit must be finite");
    if (device != Device::kCpu) refuse_device("grid_laid", device);
    cpu::grid_laid(former, rows, columns, fit, out);
}

float grid_steady(Device device, const SteadyState& state, const core::GridView& present,
                  const core::GridFit& fit, const SteadyOut& out) {
    check_grid(present, "present");
    check_grid(state.smooth, "smooth");
    for (const core::GridView* grid : {&state.raw, &state.doubt, &state.trend}) {
        if (grid->rows != state.smooth.rows || grid->columns != state.smooth.columns) {
            refuse("smooth, raw, doubt and trend must have one size");
        }
    }
    if (!finite(fit)) refuse("fit must be finite");
    if (!std::isfinite(state.flicker)) refuse("flicker must be finite");
    if (device != Device::kCpu) refuse_device("grid_steady", device);
    return cpu::grid_steady(state, present, fit, out);
}

}  // namespace edgeseg
