#include "ops/letterbox.h"

#include "cpu/letterbox.h"
#include "ops/checks.h"

namespace edgeseg {
namespace {

void check_image(const core::ImageView& image) {
    if (image.width < 1 || image.height < 1 || image.width > core::kMaxSourceSide ||
        image.height > core::kMaxSourceSide) {
        refuse("image must have sides of 1 to ", core::kMaxSourceSide, " pixels, got ", image.width,
               " x ", image.height);
    }
}

void check_region(const core::Region& region, const core::PlanesView& out) {
    const bool inside = region.x >= 0 && region.y >= 0 && region.width >= 1 && region.height >= 1 &&
                        region.x <= out.width && region.width <= out.width - region.x &&
                        region.y <= out.height && region.height <= out.height - region.y;
    if (!inside) {
        refuse("region (x, y, width, height) must lie inside out, which is ", out.width, " x ",
               out.height, ", got (", region.x, ", ", region.y, ", ", region.width, ", ",
               region.height, ")");
    }
    if (region.width > core::kMaxRegionSide || region.height > core::kMaxRegionSide) {
        refuse("region must have sides of at most ", core::kMaxRegionSide, " pixels, got ",
               region.width, " x ", region.height);
    }
}

}  // namespace

void letterbox(Device device, const core::ImageView& image, const core::PlanesView& out,
               const LetterboxOptions& options, SimdLevel level) {
    check_image(image);
    check_region(options.region, out);
    if (!(options.pad >= 0.0f && options.pad <= 255.0f)) {
        refuse("pad must be from 0 to 255, got ", options.pad);
    }
    if (device != Device::kCpu) refuse_device("letterbox", device);
    cpu::letterbox(image, out, options, level);
}

}  // namespace edgeseg
