#include "core/nms_words.h"
#include "cuda/append.h"
#include "cuda/arena.h"
#include "cuda/detect.h"
#include "cuda/launch.h"
#include "cuda/nms_checks.h"

namespace edgeseg::cuda {
namespace {

constexpr int kBits = core::kWordBits;
constexpr int kMaxWords = kMaxRanked / kBits;
constexpr int kListThreads = 256;
// Blocks take tile after tile: how many there are only the device knows.
constexpr int kOverlapBlocks = 512;
constexpr int kParts = 4;
constexpr int kPartBits = kBits / kParts;
constexpr int kOverlapThreads = kBits * kParts;
constexpr int kKeepThreads = 256;

// Candidates in the strict order.
struct Ranked {
    const core::Box* boxes;
    const float* scores;
    const std::int32_t* class_ids;
    const std::uint64_t* keys;   // hold the index of each; null: it is its place
    const std::uint32_t* count;  // null: `most`
    int most;

    __device__ int size() const {
        return count != nullptr && *count < static_cast<std::uint32_t>(most)
                   ? static_cast<int>(*count)
                   : most;
    }
    __device__ std::uint32_t index(int i) const {
        return keys != nullptr ? static_cast<std::uint32_t>(keys[i])
                               : static_cast<std::uint32_t>(i);
    }
};

__global__ void __launch_bounds__(kListThreads) list_keys(CandidateList candidates, KeyList list) {
    const std::uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    const std::uint32_t capacity = static_cast<std::uint32_t>(candidates.capacity);
    const std::uint32_t count =
        candidates.count != nullptr && *candidates.count < capacity ? *candidates.count : capacity;
    std::uint64_t key = 0;
    bool may_be_kept = false;
    if (i < count) {
        const float score = candidates.scores[i];
        may_be_kept = !core::is_nan(score) && core::is_finite(candidates.boxes[i]);
        if (may_be_kept) key = core::rank_key(score, i);
    }
    append(list, may_be_kept, key);
}

__global__ void __launch_bounds__(kListThreads)
    gather_ranked(CandidateList candidates, const std::uint64_t* keys, CandidateList out) {
    const std::uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= *out.count) return;
    const std::uint32_t from = static_cast<std::uint32_t>(keys[i]);
    out.boxes[i] = candidates.boxes[from];
    out.scores[i] = candidates.scores[from];
    out.class_ids[i] = candidates.class_ids[from];
}

__device__ core::ClassBox class_box(const Ranked& ranked, int i) {
    return core::class_box(ranked.boxes[i], ranked.class_ids[i]);
}

// Four neighbours make one word, what a box removes among 64 later ones: a thread for each
// would leave most of the device idle where there are few boxes. `words` is [4096, kMaxWords].
__global__ void __launch_bounds__(kOverlapThreads)
    find_overlaps(Ranked ranked, core::OverlapRule rule, std::uint64_t* words) {
    __shared__ core::ClassBox later[kBits];
    const int thread = static_cast<int>(threadIdx.x);
    const int part = thread % kParts * kPartBits;
    const int count = ranked.size();
    const int tiles = core::tiles_for(core::words_for(count));
    for (int t = static_cast<int>(blockIdx.x); t < tiles; t += static_cast<int>(gridDim.x)) {
        const core::WordTile tile = core::tile_at(t);
        const int first = tile.column * kBits;
        if (thread < kBits && first + thread < count) {
            later[thread] = class_box(ranked, first + thread);
        }
        __syncthreads();
        const int mine = tile.row * kBits + thread / kParts;
        const int left = count - first - part;
        std::uint64_t word = 0;
        if (mine < count && left > 0) {
            word = core::overlap_word(class_box(ranked, mine), mine, later + part, first + part,
                                      left < kPartBits ? left : kPartBits, rule)
                   << part;
        }
        for (int apart = 1; apart < kParts; apart *= 2) {
            word |= __shfl_xor_sync(kAllLanes, word, apart);
        }
        if (mine < count && part == 0) words[mine * kMaxWords + tile.column] = word;
        __syncthreads();
    }
}

__device__ void write_detection(const Ranked& ranked, int i, const core::SourceMap& map,
                                Detection* out) {
    *out = {core::to_source(ranked.boxes[i], map), ranked.scores[i], ranked.class_ids[i],
            ranked.index(i), 0};
}

// What the kept ones of 64 boxes remove among all later ones: each thread takes one later word
// and some of the 64.
__device__ void remove_later(const std::uint64_t* words, int block, int blocks, std::uint64_t kept,
                             std::uint64_t* removed) {
    const int column = static_cast<int>(threadIdx.x) % kMaxWords;
    const int part = static_cast<int>(threadIdx.x) / kMaxWords;
    if (column <= block || column >= blocks) return;
    std::uint64_t all = 0;
    for (int i = part; i < kBits; i += kKeepThreads / kMaxWords) {
        if (kept >> i & 1u) all |= words[(block * kBits + i) * kMaxWords + column];
    }
    if (all != 0) {
        atomicOr(reinterpret_cast<unsigned long long*>(&removed[column]),
                 static_cast<unsigned long long>(all));
    }
}

// One block goes through the boxes in the strict order, 64 at a time.
__global__ void __launch_bounds__(kKeepThreads)
    keep(Ranked ranked, const std::uint64_t* words, int max_detections, core::SourceMap map,
         DetectionHeader* header, Detection* out) {
    __shared__ std::uint64_t removed[kMaxWords], overlaps[kBits], kept;
    const int thread = static_cast<int>(threadIdx.x);
    const int count = ranked.size();
    const int blocks = core::words_for(count);
    if (thread < kMaxWords) removed[thread] = 0;
    int found = 0;
    for (int block = 0; block < blocks && found < max_detections; ++block) {
        const int first = block * kBits;
        const int in_block = count - first < kBits ? count - first : kBits;
        if (thread < in_block) overlaps[thread] = words[(first + thread) * kMaxWords + block];
        __syncthreads();
        if (thread == 0) {
            kept = core::kept_of_word(removed[block], overlaps, in_block, max_detections - found);
        }
        __syncthreads();
        if (thread < in_block && (kept >> thread & 1u)) {
            const int place = found + core::count_bits(kept & core::low_bits(thread));
            write_detection(ranked, first + thread, map, out + place);
        }
        remove_later(words, block, blocks, kept, removed);
        found += core::count_bits(kept);
        __syncthreads();
    }
    if (thread == 0) *header = {static_cast<std::uint32_t>(found), {0, 0, 0}};
}

struct Parts {
    std::uint64_t* words;
    KeyList list;
    std::uint64_t* keys;
    CandidateList ranked;
    std::size_t bytes;
};

Parts parts_of(void* data, const NmsJob& job) {
    Arena arena(data);
    Parts parts{};
    parts.words = arena.take<std::uint64_t>(static_cast<std::size_t>(kMaxRanked) * kMaxWords);
    if (!job.ranked) {
        parts.list.count = arena.take<std::uint32_t>(1);
        parts.keys = arena.take<std::uint64_t>(kMaxRanked);
        parts.ranked = {arena.take<core::Box>(kMaxRanked), arena.take<float>(kMaxRanked),
                        arena.take<std::int32_t>(kMaxRanked), arena.take<std::uint32_t>(1),
                        kMaxRanked};
        parts.list.capacity = static_cast<std::uint32_t>(job.candidates.capacity);
        parts.list.keys = arena.take<std::uint64_t>(parts.list.capacity);
    }
    parts.bytes = arena.used();
    return parts;
}

unsigned blocks_for(int count) {
    return static_cast<unsigned>((count + kListThreads - 1) / kListThreads);
}

// Give the candidates in the strict order, as they are or sorted into the workspace.
Ranked enqueue_ranking(const NmsJob& job, const Parts& parts, cudaStream_t stream) {
    const CandidateList& given = job.candidates;
    const int most = given.capacity < job.max_candidates ? given.capacity : job.max_candidates;
    if (job.ranked) {
        return {given.boxes, given.scores, given.class_ids, nullptr, given.count, most};
    }
    EDGESEG_CUDA(cudaMemsetAsync(parts.list.count, 0, sizeof(std::uint32_t), stream));
    if (given.capacity > 0) {
        launch(&list_keys, {dim3(blocks_for(given.capacity)), dim3(kListThreads)}, stream, given,
               parts.list);
    }
    rank(parts.list, job.max_candidates, parts.keys, parts.ranked.count, stream);
    launch(&gather_ranked, {dim3(blocks_for(job.max_candidates)), dim3(kListThreads)}, stream,
           given, static_cast<const std::uint64_t*>(parts.keys), parts.ranked);
    return {parts.ranked.boxes, parts.ranked.scores, parts.ranked.class_ids,
            parts.keys,         parts.ranked.count,  job.max_candidates};
}

}  // namespace

std::size_t nms_workspace_bytes(const NmsJob& job) {
    check_sizes(job);
    return parts_of(nullptr, job).bytes;
}

void nms(const NmsJob& job, const Workspace& workspace, cudaStream_t stream) {
    check_job(job);
    check_workspace(workspace, parts_of(nullptr, job).bytes);
    const Parts parts = parts_of(workspace.data, job);
    const Ranked ranked = enqueue_ranking(job, parts, stream);
    launch(&find_overlaps, {dim3(kOverlapBlocks), dim3(kOverlapThreads)}, stream, ranked, job.rule,
           parts.words);
    auto* header = static_cast<DetectionHeader*>(job.out);
    launch(&keep, {dim3(1), dim3(kKeepThreads)}, stream, ranked,
           static_cast<const std::uint64_t*>(parts.words), job.max_detections, job.map, header,
           reinterpret_cast<Detection*>(header + 1));
}

}  // namespace edgeseg::cuda
