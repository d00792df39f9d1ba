#include "cpu/tinted_row.h"

#include <algorithm>

#include "core/tint.h"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace edgeseg::cpu {
namespace {

// Values that a loop of fixed length takes at once, so that the compiler keeps the pattern of
// the three channels in registers.
constexpr int kBlock = 48;

void take_all(std::uint16_t* __restrict left, std::uint16_t* __restrict colors,
              const std::uint16_t* __restrict pattern, int count) {
    for (int i = 0; i < count; ++i) {
        colors[i] = static_cast<std::uint16_t>(colors[i] + left[i] * pattern[i]);
        left[i] = 0;
    }
}

#if defined(__SSE2__)
// core::tinted of eight values: the compiler does not find the instruction that gives the upper
// half of a product by itself, and takes four times as long.
__m128i tint8(__m128i pixels, __m128i left, __m128i colors, __m128i alpha) {
    const __m128i covered =
        _mm_slli_epi16(_mm_sub_epi16(_mm_set1_epi16(core::kWholePixel), left), 1);
    const __m128i twice = _mm_mulhi_epu16(covered, alpha);
    const __m128i share = _mm_srli_epi16(_mm_add_epi16(twice, _mm_set1_epi16(1)), 1);
    const __m128i kept = _mm_sub_epi16(_mm_set1_epi16(core::kWholePixel), share);
    const __m128i sum =
        _mm_add_epi16(_mm_mullo_epi16(pixels, kept), _mm_mulhi_epu16(colors, alpha));
    return _mm_srli_epi16(_mm_add_epi16(sum, _mm_set1_epi16(128)), 8);
}

void tint16(std::uint8_t* row, const std::uint16_t* left, const std::uint16_t* colors, int alpha) {
    const auto load = [](const void* from) {
        return _mm_loadu_si128(static_cast<const __m128i*>(from));
    };
    const __m128i steps = _mm_set1_epi16(static_cast<short>(alpha)), zero = _mm_setzero_si128();
    const __m128i pixels = load(row);
    const __m128i low = tint8(_mm_unpacklo_epi8(pixels, zero), load(left), load(colors), steps);
    const __m128i high =
        tint8(_mm_unpackhi_epi8(pixels, zero), load(left + 8), load(colors + 8), steps);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(row), _mm_packus_epi16(low, high));
}
#endif

}  // namespace

void TintedRow::clear(Span columns) {
    const auto begin = 3 * columns.begin, count = 3 * (columns.end - columns.begin);
    std::fill_n(left_.begin() + begin, count, std::uint16_t{core::kWholePixel});
    std::fill_n(colors_.begin() + begin, count, std::uint16_t{0});
}

void TintedRow::cover(int x, int covered, const std::uint8_t (&color)[3]) {
    std::uint16_t* left = left_.data() + 3 * x;
    std::uint16_t* colors = colors_.data() + 3 * x;
    const int part = core::taken(left[0], covered);
    const auto remaining = static_cast<std::uint16_t>(left[0] - part);
    for (int channel = 0; channel < 3; ++channel) {
        left[channel] = remaining;
        colors[channel] = static_cast<std::uint16_t>(colors[channel] + part * color[channel]);
    }
}

void TintedRow::cover_whole(Span columns, const std::uint8_t (&color)[3]) {
    std::uint16_t pattern[kBlock];
    for (int i = 0; i < kBlock; ++i) pattern[i] = color[i % 3];
    std::uint16_t* left = left_.data();
    std::uint16_t* colors = colors_.data();
    const int end = 3 * columns.end;
    int i = 3 * columns.begin;
    for (; i + kBlock <= end; i += kBlock) take_all(left + i, colors + i, pattern, kBlock);
    if (i < end) take_all(left + i, colors + i, pattern, end - i);
}

void TintedRow::apply(std::uint8_t* row, Span columns, int alpha) const {
    const std::uint16_t* left = left_.data();
    const std::uint16_t* colors = colors_.data();
    int i = 3 * columns.begin;
#if defined(__SSE2__)
    for (; i + 16 <= 3 * columns.end; i += 16) tint16(row + i, left + i, colors + i, alpha);
#endif
    for (; i < 3 * columns.end; ++i) row[i] = core::tinted(row[i], left[i], colors[i], alpha);
}

}  // namespace edgeseg::cpu
