#pragma once

#include "ops/polygons.h"

namespace edgeseg::cpu {

// Leave out corners that lie no further than `tolerance_px` from what is left.
Ring thin_ring(const Ring& ring, float tolerance_px);

// Twice the area; above 0 when the ring goes clockwise as seen on the screen.
double twice_area(const Ring& ring);

}  // namespace edgeseg::cpu
