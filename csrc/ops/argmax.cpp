#include "ops/argmax.h"

#include "cpu/argmax.h"
#include "ops/checks.h"

namespace edgeseg {

void argmax(Device device, const core::ScoresView& scores, std::uint16_t* out,
            const ArgmaxOptions& options) {
    if (scores.classes < 1 || scores.classes > 65535) {
        refuse("scores must have 1 to 65535 classes, got ", scores.classes);
    }
    if (device != Device::kCpu) refuse_device("argmax", device);
    cpu::argmax(scores, out, options);
}

}  // namespace edgeseg
