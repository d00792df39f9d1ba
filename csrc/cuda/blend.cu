#include "core/tint.h"
#include "cuda/blend.h"
#include "cuda/blend_checks.h"
#include "cuda/launch.h"

namespace edgeseg::cuda {
namespace {

// Pixels of a block: a row of a warp, several rows. Each thread also looks at one mask.
constexpr int kTileWidth = kWarp;
constexpr int kTileHeight = 8;
constexpr int kThreads = kTileWidth * kTileHeight;

struct Plan {
    BlendBatch batch;
    int alpha;  // core::alpha_steps
};

// What a block keeps of a mask.
struct Layer {
    core::GridPlace place;
    std::uint32_t offset;
    std::uint8_t color[4];
};

struct Tile {
    int left, top;

    // Whether a mask may be at a pixel of it.
    __device__ bool is_near(const core::GridPlace& place) const {
        return place.x.begin < static_cast<float>(left + kTileWidth) &&
               place.x.end > static_cast<float>(left) &&
               place.y.begin < static_cast<float>(top + kTileHeight) &&
               place.y.end > static_cast<float>(top);
    }
};

// Look at one mask; true when it may be in the tile.
__device__ bool load_layer(const BlendBatch& batch, int index, const Tile& tile, Layer& layer) {
    if (index >= batch.count) return false;
    const MaskRecord record = batch.records[index];
    const std::int64_t cells = static_cast<std::int64_t>(record.rows) * record.columns;
    if (cells == 0 || record.offset + cells > batch.grids_bytes) return false;
    layer.place = core::grid_place(record.region, record.clip, record.rows, record.columns);
    layer.offset = record.offset;
    for (int i = 0; i < 4; ++i) layer.color[i] = record.color[i];
    return tile.is_near(layer.place);
}

__device__ void cover(const Plan& plan, const Layer& layer, int x, int y,
                      core::TintedPixel& pixel) {
    if (!core::holds(layer.place.x, x) || !core::holds(layer.place.y, y)) return;
    const int rows = layer.place.y.cells, columns = layer.place.x.cells;
    const core::GridView grid = {plan.batch.grids + layer.offset, rows, columns, columns, 1};
    pixel.cover(core::coverage(grid, layer.place, core::cell_tap(layer.place.y, y),
                               core::cell_tap(layer.place.x, x)),
                layer.color);
}

// A thread makes a pixel. The masks come a block's worth at a time: each thread finds out whether
// one of them reaches the tile, and the bits of those that do are gone through in their order.
__global__ void __launch_bounds__(kThreads) blend_masks(const __grid_constant__ Plan plan) {
    __shared__ Layer layers[kThreads];
    __shared__ unsigned near[kTileHeight];
    const BlendBatch& batch = plan.batch;
    const int thread = static_cast<int>(threadIdx.x);
    const Tile tile = {static_cast<int>(blockIdx.x) * kTileWidth,
                       static_cast<int>(blockIdx.y) * kTileHeight};
    const int x = tile.left + thread % kTileWidth, y = tile.top + thread / kTileWidth;
    const bool is_inside = x < batch.width && y < batch.height;
    core::TintedPixel pixel;
    for (int first = 0; first < batch.count; first += kThreads) {
        const bool is_near = load_layer(batch, first + thread, tile, layers[thread]);
        const unsigned word = __ballot_sync(kAllLanes, is_near);
        if (thread % kWarp == 0) near[thread / kWarp] = word;
        __syncthreads();
        for (int i = 0; is_inside && i < kTileHeight; ++i) {
            for (unsigned left = near[i]; left != 0; left &= left - 1) {
                cover(plan, layers[i * kWarp + __ffs(static_cast<int>(left)) - 1], x, y, pixel);
            }
        }
        __syncthreads();
    }
    if (!is_inside || pixel.left == core::kWholePixel) return;
    std::uint8_t* out = batch.pixels + y * batch.pitch + 3 * x;
    for (int channel = 0; channel < 3; ++channel) {
        out[channel] = core::tinted(out[channel], pixel.left, pixel.colors[channel], plan.alpha);
    }
}

unsigned tiles(int pixels, int side) { return static_cast<unsigned>((pixels + side - 1) / side); }

}  // namespace

void blend(const BlendBatch& batch, cudaStream_t stream) {
    check_blend(batch);
    if (batch.count == 0) return;
    const LaunchShape shape = {
        dim3(tiles(batch.width, kTileWidth), tiles(batch.height, kTileHeight)), dim3(kThreads)};
    launch(&blend_masks, shape, stream, Plan{batch, core::alpha_steps(batch.alpha)});
}

}  // namespace edgeseg::cuda
