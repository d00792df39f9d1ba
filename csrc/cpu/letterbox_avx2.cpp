#include "cpu/letterbox_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstring>

#include "cpu/packed_columns.h"

// Function attributes, not file flags: a header's inline function compiled here must not
// replace the baseline's copy when the linker merges the two.
#define EDGESEG_AVX2 __attribute__((target("avx2")))
#define EDGESEG_AVX2_INLINE __attribute__((target("avx2"), always_inline)) inline

namespace edgeseg::cpu {
namespace {

constexpr int kBlock = 8;

struct Rgb {
    __m256 planes[3];
};

// Two columns, 8 bytes each: blue, green, red of both taps and two bytes too many.
EDGESEG_AVX2_INLINE __m128i load_two(const std::uint8_t* row, const std::uint32_t* first) {
    const __m128i left = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(row + first[0]));
    return _mm_castps_si128(
        _mm_loadh_pi(_mm_castsi128_ps(left), reinterpret_cast<const __m64*>(row + first[1])));
}

EDGESEG_AVX2_INLINE __m256 weigh(__m256i taps, __m256i weights) {
    return _mm256_cvtepi32_ps(_mm256_madd_epi16(taps, weights));
}

// core::blend_columns of eight columns.
EDGESEG_AVX2_INLINE Rgb blend_columns(const std::uint8_t* row, const std::uint32_t* first,
                                      __m256i weights) {
    // Brings the taps of each channel together: blue of 2 columns, green, red.
    const __m256i pairs = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 3, 8, 11, 1, 4, 9, 12, 2, 5, 10, 13, -1, -1, -1, -1));
    const __m256i zero = _mm256_setzero_si256();
    // Columns 0 1 | 4 5 and 2 3 | 6 7, so that unpacking leaves them in order.
    __m256i even = _mm256_inserti128_si256(_mm256_castsi128_si256(load_two(row, first)),
                                           load_two(row, first + 4), 1);
    __m256i odd = _mm256_inserti128_si256(_mm256_castsi128_si256(load_two(row, first + 2)),
                                          load_two(row, first + 6), 1);
    even = _mm256_shuffle_epi8(even, pairs);
    odd = _mm256_shuffle_epi8(odd, pairs);
    const __m256i blue_green = _mm256_unpacklo_epi32(even, odd);
    const __m256i red = _mm256_unpackhi_epi32(even, odd);
    return {{weigh(_mm256_unpacklo_epi8(red, zero), weights),
             weigh(_mm256_unpackhi_epi8(blue_green, zero), weights),
             weigh(_mm256_unpacklo_epi8(blue_green, zero), weights)}};
}

// core::blend_rows of eight columns.
EDGESEG_AVX2_INLINE Rgb blend(const RowPair& rows, const std::uint32_t* first,
                              const std::int16_t* weights) {
    const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights));
    const __m256 fraction = _mm256_set1_ps(rows.fraction);
    const __m256 unit = _mm256_set1_ps(rows.unit);
    const Rgb upper = blend_columns(rows.upper, first, w);
    const Rgb lower = blend_columns(rows.lower, first, w);
    Rgb out;
    for (int plane = 0; plane < 3; ++plane) {
        const __m256 step =
            _mm256_mul_ps(_mm256_sub_ps(lower.planes[plane], upper.planes[plane]), fraction);
        out.planes[plane] = _mm256_mul_ps(_mm256_add_ps(upper.planes[plane], step), unit);
    }
    return out;
}

// Up to eight columns whose 8 bytes may reach past the row: their taps are copied first.
EDGESEG_AVX2 void blend_narrow(const RowPair& rows, const std::uint32_t* first,
                               const std::int16_t* weights, int count, float* const out[3]) {
    constexpr std::uint32_t kOffsets[kBlock] = {0, 8, 16, 24, 32, 40, 48, 56};
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

EDGESEG_AVX2 void blend_row(const RowPair& rows, const PackedColumns& columns, int width,
                            float* const out[3]) {
    const std::uint32_t* first = columns.first.data();
    const std::int16_t* weights = columns.weights.data();
    int x = 0;
    for (; x < columns.wide; x += kBlock) {
        const Rgb blended = blend(rows, first + x, weights + 2 * x);
        for (int plane = 0; plane < 3; ++plane) {
            _mm256_storeu_ps(out[plane] + x, blended.planes[plane]);
        }
    }
    for (; x < width; x += kBlock) {
        float* const rest[3] = {out[0] + x, out[1] + x, out[2] + x};
        const int count = width - x < kBlock ? width - x : kBlock;
        blend_narrow(rows, first + x, weights + 2 * x, count, rest);
    }
}

}  // namespace

void resize_avx2(const core::ImageView& image, const core::PlanesView& out,
                 const core::Region& region) {
    const PackedColumns columns(image, region, kBlock);
    for (int y = 0; y < region.height; ++y) {
        const PlaneRows planes = plane_rows(out, region, y);
        blend_row(row_pair(image, region, y), columns, region.width, planes.rows);
    }
}

}  // namespace edgeseg::cpu

#endif
