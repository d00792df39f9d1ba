#include "core/candidates.h"
#include "cuda/append.h"
#include "cuda/arena.h"
#include "cuda/decode_plan.h"
#include "cuda/detect.h"
#include "cuda/launch.h"

namespace edgeseg::cuda {
namespace {

constexpr int kFindThreads = 256;
constexpr int kGatherThreads = 128;

struct Rule {
    float conf;
    bool multi_label;
    const std::uint8_t* wanted;
};

__device__ int lane_of() { return static_cast<int>(threadIdx.x) % kWarp; }

__device__ bool is_wanted(const Rule& rule, int class_id) {
    return rule.wanted == nullptr || rule.wanted[class_id] != 0;
}

// The best class of a cell, the same in every lane.
template <typename Value>
__device__ core::BestClass best_class(const core::CellValues<Value>& values, int classes) {
    core::BestClass best = {0.0f, -1};
    for (int i = lane_of(); i < classes; i += kWarp) {
        best = core::best_of(best, {values.of_class(i), i});
    }
    for (int apart = kWarp / 2; apart > 0; apart /= 2) {
        best = core::best_of(best, {__shfl_xor_sync(kAllLanes, best.value, apart),
                                    __shfl_xor_sync(kAllLanes, best.class_id, apart)});
    }
    return best;
}

// In the order of the classes, as the CPU sums: another order rounds differently.
template <typename Value>
__device__ float sum_of_exponentials(const core::CellValues<Value>& values, int classes,
                                     float highest) {
    float sum = 0.0f;
    for (int first = 0; first < classes; first += kWarp) {
        const int i = first + lane_of();
        const float mine = i < classes ? core::exponential(values.of_class(i) - highest) : 0.0f;
        for (int lane = 0; lane < kWarp; ++lane) sum += __shfl_sync(kAllLanes, mine, lane);
    }
    return sum;
}

// Append the candidates of one cell. Every lane of the warp takes part, each with a class.
template <typename Value>
__device__ void scan_cell(const core::HeadPlan& head, std::uint32_t cell, const Rule& rule,
                          const KeyList& list) {
    if (!core::is_finite(core::cell_box<Value>(head, cell))) return;
    const core::CellValues<Value> values(head, cell);
    const float objectness = core::cell_objectness<Value>(head, cell);
    int begin = 0, end = head.classes;
    float highest = 0.0f, sum = 1.0f;
    if (head.softmax || !rule.multi_label) {
        const core::BestClass best = best_class(values, head.classes);
        if (best.class_id < 0) return;
        highest = best.value;
        if (!rule.multi_label) begin = best.class_id, end = begin + 1;
        if (head.softmax) sum = sum_of_exponentials(values, head.classes, highest);
    }
    for (int first = begin; first < end; first += kWarp) {
        const int class_id = first + lane_of();
        float score = -1.0f;  // no candidate
        if (class_id < end && is_wanted(rule, class_id)) {
            const float raw = values.of_class(class_id);
            score = objectness * (head.softmax ? core::exponential(raw - highest) / sum
                                               : core::probability(raw, head.form.activated));
        }
        append(list, core::is_candidate(score, rule.conf),
               core::candidate_key(head, cell, class_id, score));
    }
}

// A warp reads the objectness of a few adjacent cells, then the classes of those that pass.
// (Four blocks on a multiprocessor are enough: left to itself the compiler spills on sm_110.)
template <typename Value>
__global__ void __launch_bounds__(kFindThreads, 4)
    find_candidates(const __grid_constant__ core::HeadPlans plans, Rule rule, KeyList list) {
    const std::uint32_t warp = (blockIdx.x * blockDim.x + threadIdx.x) / kWarp;
    const std::uint32_t first = warp * core::kCellGroup;
    if (first >= plans.cells) return;
    const core::HeadPlan& head =
        plans.heads[core::head_of(plans, first, &core::HeadPlan::first_cell)];
    const std::uint32_t begin = first - head.first_cell;
    const std::uint32_t mine = begin + static_cast<std::uint32_t>(lane_of());
    const bool passes = lane_of() < core::kCellGroup && mine < head.cells() &&
                        core::cell_objectness<Value>(head, mine) > rule.conf;
    unsigned passing = __ballot_sync(kAllLanes, passes);
    for (; passing != 0; passing &= passing - 1) {
        const int next = __ffs(static_cast<int>(passing)) - 1;
        scan_cell<Value>(head, begin + static_cast<std::uint32_t>(next), rule, list);
    }
}

template <typename Value>
__global__ void __launch_bounds__(kGatherThreads)
    gather_candidates(const __grid_constant__ core::HeadPlans plans, const std::uint64_t* ranked,
                      CandidateList out) {
    const std::uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= *out.count) return;
    const core::Candidate candidate = core::candidate_of<Value>(plans, ranked[i]);
    out.boxes[i] = candidate.box;
    out.scores[i] = candidate.score;
    out.class_ids[i] = candidate.class_id;
}

struct Parts {
    KeyList list;
    std::uint64_t* ranked;
    std::size_t bytes;
};

Parts parts_of(void* data, const core::HeadPlans& plans) {
    Arena arena(data);
    Parts parts{};
    parts.list.count = arena.take<std::uint32_t>(1);
    parts.ranked = arena.take<std::uint64_t>(kMaxRanked);
    parts.list.keys = arena.take<std::uint64_t>(plans.candidates);
    parts.list.capacity = plans.candidates;
    parts.bytes = arena.used();
    return parts;
}

template <typename Value>
void enqueue(const core::HeadPlans& plans, const Rule& rule, int limit, const CandidateList& out,
             const Parts& parts, cudaStream_t stream) {
    const unsigned warps = (plans.cells + core::kCellGroup - 1) / core::kCellGroup;
    constexpr unsigned kWarpsPerBlock = kFindThreads / kWarp;
    EDGESEG_CUDA(cudaMemsetAsync(parts.list.count, 0, sizeof(std::uint32_t), stream));
    launch(&find_candidates<Value>,
           {dim3((warps + kWarpsPerBlock - 1) / kWarpsPerBlock), dim3(kFindThreads)}, stream, plans,
           rule, parts.list);
    rank(parts.list, limit, parts.ranked, out.count, stream);
    const unsigned blocks = static_cast<unsigned>(limit + kGatherThreads - 1) / kGatherThreads;
    launch(&gather_candidates<Value>, {dim3(blocks), dim3(kGatherThreads)}, stream, plans,
           static_cast<const std::uint64_t*>(parts.ranked), out);
}

}  // namespace

std::size_t decode_workspace_bytes(const DecodeJob& job) {
    return parts_of(nullptr, plan_heads(job)).bytes;
}

void decode(const DecodeJob& job, const CandidateList& out, const Workspace& workspace,
            cudaStream_t stream) {
    const core::HeadPlans plans = plan_heads(job);
    check_head_memory(job);
    check_candidates(out, static_cast<int>(job.options.max_candidates));
    check_workspace(workspace, parts_of(nullptr, plans).bytes);
    const Parts parts = parts_of(workspace.data, plans);
    const Rule rule = {job.options.conf, job.options.multi_label, job.wanted};
    const int limit = static_cast<int>(job.options.max_candidates);
    if (job.type == FloatType::kFloat16) {
        enqueue<core::Half>(plans, rule, limit, out, parts, stream);
    } else {
        enqueue<float>(plans, rule, limit, out, parts, stream);
    }
}

}  // namespace edgeseg::cuda
