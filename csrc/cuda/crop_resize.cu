#include "core/crop.h"
#include "core/half.h"
#include "cuda/crop_checks.h"
#include "cuda/crop_resize.h"
#include "cuda/launch.h"

namespace edgeseg::cuda {
namespace {

// Side of the square of output pixels that a block makes; a warp writes adjacent columns.
constexpr int kTile = 32;
constexpr int kThreads = 256;

template <typename Pixels>
struct Plan {
    Pixels pixels;
    int source_width, source_height;
    const float* boxes;
    void* out;
    int width, height;
    float pad;
};

__device__ core::Box box_at(const float* boxes, int index) {
    const float* edges = boxes + 4 * static_cast<std::int64_t>(index);
    return {edges[0], edges[1], edges[2], edges[3]};
}

template <typename Value>
__device__ void store(Value* out, std::int64_t plane, const core::ColorSums& color) {
    out[0] = core::from_float<Value>(color.red);
    out[plane] = core::from_float<Value>(color.green);
    out[2 * plane] = core::from_float<Value>(color.blue);
}

// A block makes a square of one crop. Its pixels share footprints, whose places are computed in
// double, of which few GPUs have many units.
template <typename Pixels, typename Value>
__global__ void __launch_bounds__(kThreads) crop_boxes(const __grid_constant__ Plan<Pixels> plan) {
    __shared__ core::Footprint columns[kTile], rows[kTile];
    const int thread = static_cast<int>(threadIdx.x);
    const int left = static_cast<int>(blockIdx.x) * kTile;
    const int top = static_cast<int>(blockIdx.y) * kTile;
    const int index = static_cast<int>(blockIdx.z);
    const core::Box box = box_at(plan.boxes, index);
    const bool is_crop = core::is_crop(box);
    if (thread < kTile) {
        columns[thread] =
            core::footprint(box.left, box.right, left + thread, plan.width, plan.source_width);
    } else if (thread < 2 * kTile) {
        rows[thread - kTile] = core::footprint(box.top, box.bottom, top + thread - kTile,
                                               plan.height, plan.source_height);
    }
    __syncthreads();
    const std::int64_t plane = static_cast<std::int64_t>(plan.width) * plan.height;
    const int x = thread % kTile;
    for (int y = thread / kTile; y < kTile; y += kThreads / kTile) {
        if (left + x >= plan.width || top + y >= plan.height) continue;
        Value* out = static_cast<Value*>(plan.out) + 3 * plane * index +
                     static_cast<std::int64_t>(plan.width) * (top + y) + left + x;
        const float padding = plan.pad / 255.0f;
        store(out, plane,
              is_crop ? core::crop_pixel(plan.pixels, columns[x], rows[y], plan.pad)
                      : core::ColorSums{padding, padding, padding});
    }
}

unsigned tiles(int pixels) { return static_cast<unsigned>((pixels + kTile - 1) / kTile); }

template <typename Value, typename Pixels>
void launch_pixels(const CropBatch& batch, const Pixels& pixels, cudaStream_t stream) {
    const Plan<Pixels> plan = {pixels,    batch.picture.width, batch.picture.height, batch.boxes,
                               batch.out, batch.width,         batch.height,         batch.pad};
    const LaunchShape shape = {
        dim3(tiles(batch.width), tiles(batch.height), static_cast<unsigned>(batch.count)),
        dim3(kThreads)};
    launch(&crop_boxes<Pixels, Value>, shape, stream, plan);
}

template <typename Value>
void launch_format(const CropBatch& batch, cudaStream_t stream) {
    const Picture& from = batch.picture;
    const bool red_first = batch.format == PixelFormat::kRgb || batch.format == PixelFormat::kRgba;
    const int red = red_first ? 0 : 2, blue = 2 - red;
    switch (batch.format) {
        case PixelFormat::kBgr:
        case PixelFormat::kRgb:
            return launch_pixels<Value>(
                batch, core::PackedPixels<3>{from.pixels, from.pitch, red, blue}, stream);
        case PixelFormat::kBgra:
        case PixelFormat::kRgba:
            return launch_pixels<Value>(
                batch, core::PackedPixels<4>{from.pixels, from.pitch, red, blue}, stream);
        case PixelFormat::kNv12:
            return launch_pixels<Value>(
                batch, core::Nv12Pixels{from.pixels, from.chroma, from.pitch, from.chroma_pitch},
                stream);
    }
}

}  // namespace

void crop_resize(const CropBatch& batch, cudaStream_t stream) {
    check_crops(batch);
    if (batch.count == 0) return;
    if (batch.type == FloatType::kFloat16) {
        launch_format<core::Half>(batch, stream);
    } else {
        launch_format<float>(batch, stream);
    }
}

}  // namespace edgeseg::cuda
