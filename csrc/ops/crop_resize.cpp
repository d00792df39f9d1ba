#include "ops/crop_resize.h"

#include "core/letterbox.h"
#include "cpu/crop_resize.h"
#include "ops/checks.h"

namespace edgeseg {
namespace {

constexpr int kMaxCropSide = 16384;

}  // namespace

void crop_resize(Device device, const core::ImageView& image, const BoxesView& boxes,
                 const CropsView& out, float pad) {
    if (image.width < 1 || image.height < 1 || image.width > core::kMaxSourceSide ||
        image.height > core::kMaxSourceSide) {
        refuse("image must have sides of 1 to ", core::kMaxSourceSide, " pixels, got ", image.width,
               " x ", image.height);
    }
    if (out.width < 1 || out.height < 1 || out.width > kMaxCropSide || out.height > kMaxCropSide) {
        refuse("out must have sides of 1 to ", kMaxCropSide, " pixels, got ", out.width, " x ",
               out.height);
    }
    if (boxes.count != out.count) {
        refuse("boxes and out must be as many, got ", boxes.count, " and ", out.count);
    }
    if (!(pad >= 0.0f && pad <= 255.0f)) refuse("pad must be from 0 to 255, got ", pad);
    if (device != Device::kCpu) refuse_device("crop_resize", device);
    cpu::crop_resize(image, boxes, out, pad);
}

}  // namespace edgeseg
