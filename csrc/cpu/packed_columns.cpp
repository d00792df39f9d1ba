#include "cpu/packed_columns.h"

namespace edgeseg::cpu {

PackedColumns::PackedColumns(const core::ImageView& image, const core::Region& region, int block) {
    const int blocks = (region.width + block - 1) / block;
    first.resize(static_cast<std::size_t>(blocks) * static_cast<std::size_t>(block));
    weights.resize(2 * first.size());
    const int total = core::tap_total(region.width, region.sampling);
    for (int x = 0; x < region.width; ++x) {
        const core::Tap tap = core::tap(x, region.width, image.width, region.sampling);
        first[x] = 3u * static_cast<std::uint32_t>(tap.index);
        weights[2 * x] = static_cast<std::int16_t>(total - tap.weight);
        weights[2 * x + 1] = static_cast<std::int16_t>(tap.weight);
        const bool fits = 3 * tap.index + 8 <= 3 * image.width;
        if (fits && (x + 1) % block == 0) wide = x + 1;
    }
}

RowPair row_pair(const core::ImageView& image, const core::Region& region, int y) {
    const core::Tap tap = core::tap(y, region.height, image.height, region.sampling);
    return {image.row(tap.index), image.row(tap.next),
            core::row_fraction(tap, region.height, region.sampling),
            core::column_unit(region.width, region.sampling)};
}

PlaneRows plane_rows(const core::PlanesView& out, const core::Region& region, int y) {
    return {{out.row(0, region.y + y) + region.x, out.row(1, region.y + y) + region.x,
             out.row(2, region.y + y) + region.x}};
}

}  // namespace edgeseg::cpu
