#include "ops/motion.h"

#include <cmath>

#include "core/geometry.h"
#include "cpu/motion.h"
#include "ops/checks.h"

namespace edgeseg {

void shrink_grey(const core::ImageView& image, int factor, GreyPicture& out) {
    if (factor < 1 || factor > 256) refuse("factor must be from 1 to 256, got ", factor);
    cpu::shrink_grey(image, factor, out);
}

Shift find_shift(const GreyPicture& before, const GreyPicture& after, const core::Box& box,
                 const Shift& guess, int radius) {
    if (before.width != after.width || before.height != after.height ||
        before.factor != after.factor) {
        refuse("before and after must be of one size, got ", before.width, "x", before.height,
               " and ", after.width, "x", after.height);
    }
    if (radius < 1 || radius > 64) refuse("radius must be from 1 to 64, got ", radius);
    if (!core::is_finite(box)) refuse("box must be finite");
    if (!std::isfinite(guess.x) || !std::isfinite(guess.y)) refuse("guess must be finite");
    return cpu::find_shift(before, after, box, guess, radius);
}

}  // namespace edgeseg
