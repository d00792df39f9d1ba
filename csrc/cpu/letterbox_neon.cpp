#include "cpu/letterbox_kernels.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#include <cstring>

#include "cpu/packed_columns.h"

namespace edgeseg::cpu {
namespace {

constexpr int kBlock = 4;

struct Rgb {
    float32x4_t planes[3];
};

// Two columns, 8 bytes each, with the taps of each channel together: blue of both columns,
// blue of both next taps, green, red.
inline uint16x8_t load_two(const std::uint8_t* row, const std::uint32_t* first) {
    constexpr std::uint8_t kPairs[16] = {0, 8, 3, 11, 1, 9, 4, 12, 2, 10, 5, 13, 6, 14, 7, 15};
    const uint8x16_t columns = vcombine_u8(vld1_u8(row + first[0]), vld1_u8(row + first[1]));
    return vreinterpretq_u16_u8(vqtbl1q_u8(columns, vld1q_u8(kPairs)));
}

struct Weights {
    uint16x4_t first;
    uint16x8_t next;  // twice, as the instruction for the upper half wants it
};

// Both taps of four columns, one after the other.
inline float32x4_t weigh(uint16x8_t taps, const Weights& weights) {
    const uint32x4_t first = vmull_u16(vget_low_u16(taps), weights.first);
    return vcvtq_f32_u32(vmlal_high_u16(first, taps, weights.next));
}

// core::blend_columns of four columns.
inline Rgb blend_columns(const std::uint8_t* row, const std::uint32_t* first,
                         const Weights& weights) {
    const uint16x8_t left = load_two(row, first);
    const uint16x8_t right = load_two(row, first + 2);
    const uint8x16_t blue_green = vreinterpretq_u8_u16(vzip1q_u16(left, right));
    const uint8x16_t red = vreinterpretq_u8_u16(vzip2q_u16(left, right));
    return {{weigh(vmovl_u8(vget_low_u8(red)), weights), weigh(vmovl_high_u8(blue_green), weights),
             weigh(vmovl_u8(vget_low_u8(blue_green)), weights)}};
}

// core::blend_rows of four columns.
inline Rgb blend(const RowPair& rows, const std::uint32_t* first, const std::int16_t* weights) {
    const uint16x4x2_t pairs = vld2_u16(reinterpret_cast<const std::uint16_t*>(weights));
    const Weights w = {pairs.val[0], vcombine_u16(pairs.val[1], pairs.val[1])};
    const Rgb upper = blend_columns(rows.upper, first, w);
    const Rgb lower = blend_columns(rows.lower, first, w);
    Rgb out;
    for (int plane = 0; plane < 3; ++plane) {
        const float32x4_t step =
            vmulq_n_f32(vsubq_f32(lower.planes[plane], upper.planes[plane]), rows.fraction);
        out.planes[plane] = vmulq_n_f32(vaddq_f32(upper.planes[plane], step), rows.unit);
    }
    return out;
}

// Up to four columns whose 8 bytes may reach past the row: their taps are copied first.
void blend_narrow(const RowPair& rows, const std::uint32_t* first, const std::int16_t* weights,
                  int count, float* const out[3]) {
    constexpr std::uint32_t kOffsets[kBlock] = {0, 8, 16, 24};
    std::uint8_t upper[8 * kBlock] = {};
    std::uint8_t lower[8 * kBlock] = {};
    for (int i = 0; i < count; ++i) {
        std::memcpy(upper + 8 * i, rows.upper + first[i], 6);
        std::memcpy(lower + 8 * i, rows.lower + first[i], 6);
    }
    const Rgb blended = blend({upper, lower, rows.fraction, rows.unit}, kOffsets, weights);
    for (int plane = 0; plane < 3; ++plane) {
        std::memcpy(out[plane], &blended.planes[plane], count * sizeof(float));
    }
}

}  // namespace

void resize_neon(const core::ImageView& image, const core::PlanesView& out,
                 const core::Region& region) {
    const PackedColumns columns(image, region, kBlock);
    const std::uint32_t* first = columns.first.data();
    const std::int16_t* weights = columns.weights.data();
    for (int y = 0; y < region.height; ++y) {
        const RowPair rows = row_pair(image, region, y);
        const PlaneRows planes = plane_rows(out, region, y);
        for (int x = 0; x < columns.wide; x += kBlock) {
            const Rgb blended = blend(rows, first + x, weights + 2 * x);
            for (int plane = 0; plane < 3; ++plane) {
                vst1q_f32(planes.rows[plane] + x, blended.planes[plane]);
            }
        }
        for (int x = columns.wide; x < region.width; x += kBlock) {
            float* const rest[3] = {planes.rows[0] + x, planes.rows[1] + x, planes.rows[2] + x};
            const int count = region.width - x < kBlock ? region.width - x : kBlock;
            blend_narrow(rows, first + x, weights + 2 * x, count, rest);
        }
    }
}

}  // namespace edgeseg::cpu

#endif
