#include "ops/paste.h"

#include "core/letterbox.h"
#include "cpu/paste.h"
#include "ops/checks.h"

namespace edgeseg {

void check_pixel_box(const PixelBox& box) {
    for (const int edge : {box.left, box.top, box.right, box.bottom}) {
        if (edge < -kMaxPlace || edge > kMaxPlace) {
            refuse("box must have edges from ", -kMaxPlace, " to ", kMaxPlace, ", got ", edge);
        }
    }
    const int width = box.right - box.left, height = box.bottom - box.top;
    if (width < 0 || height < 0 || width > core::kMaxSourceSide || height > core::kMaxSourceSide) {
        refuse("box (left, top, right, bottom) must have sides of 0 to ", core::kMaxSourceSide,
               " pixels, got (", box.left, ", ", box.top, ", ", box.right, ", ", box.bottom, ")");
    }
}

void paste(Device device, const core::GridView& grid, const MaskPlace& place, const PixelBox& box,
           std::uint8_t* out) {
    check_pixel_box(box);
    if (grid.rows > core::kMaxSourceSide || grid.columns > core::kMaxSourceSide) {
        refuse("grid must have sides of at most ", core::kMaxSourceSide, " cells, got ", grid.rows,
               " rows of ", grid.columns);
    }
    if (device != Device::kCpu) refuse_device("paste", device);
    cpu::paste(grid, place, box, out);
}

}  // namespace edgeseg
