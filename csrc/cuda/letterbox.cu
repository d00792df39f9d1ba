#include "core/half.h"
#include "core/letterbox_rows.h"
#include "cuda/launch.h"
#include "cuda/letterbox.h"
#include "cuda/letterbox_checks.h"

namespace edgeseg::cuda {
namespace {

// Kept small enough for four blocks on a multiprocessor with 64 KiB.
constexpr int kMaxStagedBytes = 16 * 1024;

struct Plan {
    void* out;
    int width, height;
    float padding;
    int red, blue;  // byte of a pixel
    int row_bytes;  // of shared memory for one source row
    Picture pictures[kMaxBatch];
};

template <typename Value>
struct Run {
    static constexpr int kCount = 16 / sizeof(Value);
};

__device__ std::uint32_t bits_of(float value) {
    std::uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

__device__ std::uint32_t bits_of(float low, float high) {
    return core::to_half(low).bits | static_cast<std::uint32_t>(core::to_half(high).bits) << 16;
}

__device__ uint4 pack(const float (&v)[4]) {
    return {bits_of(v[0]), bits_of(v[1]), bits_of(v[2]), bits_of(v[3])};
}

__device__ uint4 pack(const float (&v)[8]) {
    return {bits_of(v[0], v[1]), bits_of(v[2], v[3]), bits_of(v[4], v[5]), bits_of(v[6], v[7])};
}

// One 16-byte store for each plane.
template <typename Value>
__device__ void store(const Plan& plan, int x, int y, int picture,
                      const float (&values)[3][Run<Value>::kCount]) {
    const std::int64_t plane = static_cast<std::int64_t>(plan.width) * plan.height;
    Value* out = static_cast<Value*>(plan.out) + 3 * plane * picture +
                 static_cast<std::int64_t>(plan.width) * y + x;
    for (int i = 0; i < 3; ++i) {
        __stwb(reinterpret_cast<uint4*>(out + i * plane), pack(values[i]));
    }
}

template <typename Value, typename Rows>
__device__ void write_run(const Plan& plan, const Rows& rows, const core::LetterboxRow& row, int x,
                          int y, int picture) {
    float values[3][Run<Value>::kCount];
    core::letterbox_run(rows, row, x, values);
    store<Value>(plan, x, y, picture, values);
}

__device__ bool is_padding(const core::Region& region, int y) {
    return y < region.y || y >= region.y + region.height;
}

template <typename Value>
__device__ void write_padding(const Plan& plan, int x, int y, int picture) {
    float values[3][Run<Value>::kCount];
    for (auto& plane : values) {
        for (float& value : plane) value = plan.padding;
    }
    store<Value>(plan, x, y, picture, values);
}

__device__ core::LetterboxRow shared_by_row(const Plan& plan, const Picture& picture,
                                            const core::Tap& tap) {
    const core::Region& region = picture.region;
    return {region.x,
            region.width,
            picture.width,
            core::row_fraction(tap, region.height),
            core::column_unit(region.width),
            plan.padding};
}

// Part of a source row, from the 16-byte boundary before its first byte on.
struct Segment {
    const std::uint8_t* aligned;
    int offset;  // of the first byte
    int vectors;

    __device__ Segment(const std::uint8_t* first, int bytes)
        : offset(static_cast<int>(reinterpret_cast<std::uintptr_t>(first) % 16)) {
        aligned = first - offset;
        vectors = (offset + bytes + 15) / 16;
    }
};

// The memory of a picture, which no load may leave.
struct Bounds {
    const std::uint8_t *low, *high;

    __device__ bool hold(const std::uint8_t* vector) const {
        return vector >= low && vector + 16 <= high;
    }
};

// A vector that the bounds do not hold, byte by byte.
__device__ void stage_edge(uint4* target, const std::uint8_t* vector, const Bounds& bounds) {
    const std::uint8_t* from = vector + threadIdx.x;
    if (threadIdx.x >= 16 || bounds.hold(vector) || from < bounds.low || from >= bounds.high)
        return;
    reinterpret_cast<std::uint8_t*>(target)[threadIdx.x] = *from;
}

// Copy two segments to shared memory, the second `distance` vectors behind the first. Several
// loads are under way before the first is used.
__device__ void stage(uint4* target, int distance, const Segment& above, const Segment& below,
                      const Bounds& bounds) {
    constexpr int kInFlight = 4;
    const int total = above.vectors + below.vectors;
    const int threads = static_cast<int>(blockDim.x);
    for (int i = static_cast<int>(threadIdx.x); i < total; i += kInFlight * threads) {
        uint4 loaded[kInFlight];
        int place[kInFlight];
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) {
            const int at = i + k * threads, second = at - above.vectors;
            const std::uint8_t* from =
                second < 0 ? above.aligned + 16 * at : below.aligned + 16 * second;
            place[k] = second < 0 ? at : distance + second;
            if (at >= total || !bounds.hold(from)) place[k] = -1;
            if (place[k] >= 0) loaded[k] = __ldg(reinterpret_cast<const uint4*>(from));
        }
#pragma unroll
        for (int k = 0; k < kInFlight; ++k) {
            if (place[k] >= 0) target[place[k]] = loaded[k];
        }
    }
    const int last_above = above.vectors - 1, last_below = below.vectors - 1;
    stage_edge(target, above.aligned, bounds);
    stage_edge(target + last_above, above.aligned + 16 * last_above, bounds);
    stage_edge(target + distance, below.aligned, bounds);
    stage_edge(target + distance + last_below, below.aligned + 16 * last_below, bounds);
}

// A block makes part of one output row of one picture. The parts of the two source rows that it
// reads come through shared memory: neighbours read overlapping bytes, in no good order.
template <int kPixelBytes, typename Value>
__global__ void __launch_bounds__(128) letterbox_staged(const __grid_constant__ Plan plan) {
    EDGESEG_DYNAMIC_SHARED(uint4, staged);
    const int y = static_cast<int>(blockIdx.y);
    const int index = static_cast<int>(blockIdx.z);
    const int begin = static_cast<int>(blockIdx.x * blockDim.x) * Run<Value>::kCount;
    const int x = begin + static_cast<int>(threadIdx.x) * Run<Value>::kCount;
    const Picture& picture = plan.pictures[index];
    const core::Region& region = picture.region;
    if (is_padding(region, y)) {
        if (x < plan.width) write_padding<Value>(plan, x, y, index);
        return;
    }
    const core::Tap tap = core::tap(y - region.y, region.height, picture.height);
    const core::PixelSpan span = core::source_span(
        region, picture.width, begin, begin + static_cast<int>(blockDim.x) * Run<Value>::kCount);
    const std::int64_t first = static_cast<std::int64_t>(span.first) * kPixelBytes;
    const int bytes = (span.past - span.first) * kPixelBytes;
    const Segment above(picture.pixels + tap.index * picture.pitch + first, bytes);
    const Segment below(picture.pixels + tap.next * picture.pitch + first, bytes);
    const int distance = plan.row_bytes / 16;
    const Bounds bounds = {picture.pixels, picture.pixels + (picture.height - 1) * picture.pitch +
                                               picture.width * kPixelBytes};
    if (bytes > 0) stage(staged, distance, above, below, bounds);
    __syncthreads();
    if (x >= plan.width) return;
    const auto* rows_staged = reinterpret_cast<const std::uint8_t*>(staged);
    const core::PackedRows<kPixelBytes> rows = {rows_staged + above.offset,
                                                rows_staged + plan.row_bytes + below.offset,
                                                span.first, plan.red, plan.blue};
    write_run<Value>(plan, rows, shared_by_row(plan, picture, tap), x, y, index);
}

// For reductions so strong that the rows do not fit shared memory.
template <int kPixelBytes, typename Value>
__global__ void __launch_bounds__(128) letterbox_direct(const __grid_constant__ Plan plan) {
    const int y = static_cast<int>(blockIdx.y);
    const int index = static_cast<int>(blockIdx.z);
    const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * Run<Value>::kCount;
    if (x >= plan.width) return;
    const Picture& picture = plan.pictures[index];
    if (is_padding(picture.region, y)) return write_padding<Value>(plan, x, y, index);
    const core::Tap tap = core::tap(y - picture.region.y, picture.region.height, picture.height);
    const core::PackedRows<kPixelBytes> rows = {picture.pixels + tap.index * picture.pitch,
                                                picture.pixels + tap.next * picture.pitch, 0,
                                                plan.red, plan.blue};
    write_run<Value>(plan, rows, shared_by_row(plan, picture, tap), x, y, index);
}

template <typename Value>
__global__ void __launch_bounds__(128) letterbox_nv12(const __grid_constant__ Plan plan) {
    const int y = static_cast<int>(blockIdx.y);
    const int index = static_cast<int>(blockIdx.z);
    const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * Run<Value>::kCount;
    if (x >= plan.width) return;
    const Picture& picture = plan.pictures[index];
    if (is_padding(picture.region, y)) return write_padding<Value>(plan, x, y, index);
    const core::Tap tap = core::tap(y - picture.region.y, picture.region.height, picture.height);
    const core::Nv12Rows rows = {picture.pixels + tap.index * picture.pitch,
                                 picture.pixels + tap.next * picture.pitch,
                                 picture.chroma + (tap.index / 2) * picture.chroma_pitch,
                                 picture.chroma + (tap.next / 2) * picture.chroma_pitch};
    write_run<Value>(plan, rows, shared_by_row(plan, picture, tap), x, y, index);
}

Plan plan_of(const LetterboxBatch& batch) {
    const bool red_first = batch.format == PixelFormat::kRgb || batch.format == PixelFormat::kRgba;
    Plan plan{};
    plan.out = batch.out;
    plan.width = batch.width;
    plan.height = batch.height;
    plan.padding = batch.pad / 255.0f;
    plan.red = red_first ? 0 : 2;
    plan.blue = red_first ? 2 : 0;
    for (std::size_t i = 0; i < batch.pictures.size(); ++i) plan.pictures[i] = batch.pictures[i];
    return plan;
}

// Shared memory for the part of a source row that `columns` adjacent outputs read.
int staged_row_bytes(const LetterboxBatch& batch, int pixel_bytes, int columns) {
    int pixels = 0;
    for (const Picture& picture : batch.pictures) {
        const int span = core::longest_span(picture.region, picture.width, columns);
        pixels = span > pixels ? span : pixels;
    }
    return (pixels * pixel_bytes + 15 + 15) / 16 * 16;
}

LaunchShape shape_for(const LetterboxBatch& batch, int run, int threads) {
    const int columns = run * threads;
    return {dim3(static_cast<unsigned>((batch.width + columns - 1) / columns),
                 static_cast<unsigned>(batch.height), static_cast<unsigned>(batch.pictures.size())),
            dim3(static_cast<unsigned>(threads))};
}

template <int kPixelBytes, typename Value>
void launch_packed(const LetterboxBatch& batch, cudaStream_t stream) {
    constexpr int kRun = Run<Value>::kCount;
    Plan plan = plan_of(batch);
    for (int threads = 128; threads >= kWarp; threads /= 2) {
        // A row shorter than half of the block's leaves its threads idle.
        if (threads > kWarp && batch.width <= kRun * threads / 2) continue;
        plan.row_bytes = staged_row_bytes(batch, kPixelBytes, kRun * threads);
        if (2 * plan.row_bytes > kMaxStagedBytes) continue;
        LaunchShape shape = shape_for(batch, kRun, threads);
        shape.shared_bytes = static_cast<std::size_t>(2 * plan.row_bytes);
        return launch(&letterbox_staged<kPixelBytes, Value>, shape, stream, plan);
    }
    launch(&letterbox_direct<kPixelBytes, Value>, shape_for(batch, kRun, kWarp), stream, plan);
}

template <typename Value>
void launch_format(const LetterboxBatch& batch, cudaStream_t stream) {
    switch (batch.format) {
        case PixelFormat::kBgr:
        case PixelFormat::kRgb:
            return launch_packed<3, Value>(batch, stream);
        case PixelFormat::kBgra:
        case PixelFormat::kRgba:
            return launch_packed<4, Value>(batch, stream);
        case PixelFormat::kNv12:
            return launch(&letterbox_nv12<Value>, shape_for(batch, Run<Value>::kCount, 64), stream,
                          plan_of(batch));
    }
}

}  // namespace

void letterbox(const LetterboxBatch& batch, cudaStream_t stream) {
    check_batch(batch);
    if (batch.type == FloatType::kFloat16) {
        launch_format<core::Half>(batch, stream);
    } else {
        launch_format<float>(batch, stream);
    }
}

}  // namespace edgeseg::cuda
