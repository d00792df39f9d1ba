#include "cuda/decode_plan.h"

#include <cstdint>

#include "cuda/arena.h"
#include "ops/checks.h"

namespace edgeseg::cuda {
namespace {

bool is_aligned(const void* pointer, std::uintptr_t bytes) {
    return pointer != nullptr && reinterpret_cast<std::uintptr_t>(pointer) % bytes == 0;
}

void check_heads(const DecodeJob& job) {
    std::vector<core::HeadView> views;
    for (const Head& head : job.heads) {
        views.push_back({nullptr, head.channels, head.rows, head.columns, 0, 0});
    }
    check_decode(views, job.specs, job.options);
    if (job.heads.empty() || job.heads.size() > core::kMaxHeads) {
        refuse("heads must be 1 to ", core::kMaxHeads, ", got ", job.heads.size());
    }
    if (job.options.max_candidates > kMaxRanked) {
        refuse("max_candidates must be 1 to ", kMaxRanked, ", got ", job.options.max_candidates);
    }
}

core::HeadPlan plan_head(const Head& head, const YoloHead& spec, const DecodeOptions& options) {
    core::HeadPlan plan{};
    plan.values = head.values;
    plan.rows = head.rows;
    plan.columns = head.columns;
    plan.anchors = static_cast<int>(spec.anchors_net.size());
    plan.classes = spec.classes;
    plan.form.stride_x = static_cast<float>(options.net_width) / static_cast<float>(head.columns);
    plan.form.stride_y = static_cast<float>(options.net_height) / static_cast<float>(head.rows);
    plan.form.scale_x_y = spec.scale_x_y;
    plan.form.activated = spec.new_coords;
    plan.softmax = spec.kind == HeadKind::kRegion && spec.softmax;
    for (std::size_t i = 0; i < spec.anchors_net.size(); ++i) {
        plan.anchors_net[i] = spec.anchors_net[i];
    }
    return plan;
}

}  // namespace

core::HeadPlans plan_heads(const DecodeJob& job) {
    check_heads(job);
    core::HeadPlans plans{};
    std::uint64_t cells = 0, candidates = 0;
    for (std::size_t i = 0; i < job.heads.size(); ++i) {
        const Head& head = job.heads[i];
        const YoloHead& spec = job.specs[i];
        if (spec.anchors_net.size() > core::kMaxAnchors) {
            refuse("specs[", i, "] must have at most ", core::kMaxAnchors, " anchors, got ",
                   spec.anchors_net.size());
        }
        core::HeadPlan& plan = plans.heads[plans.count++] = plan_head(head, spec, job.options);
        plan.first_cell = static_cast<std::uint32_t>(cells);
        plan.first_candidate = static_cast<std::uint32_t>(candidates);
        const std::uint64_t own = static_cast<std::uint64_t>(head.rows) * head.columns *
                                  static_cast<std::uint64_t>(plan.anchors);
        cells += (own + core::kCellGroup - 1) / core::kCellGroup * core::kCellGroup;
        candidates += own * static_cast<std::uint64_t>(spec.classes);
        if (candidates > UINT32_MAX || cells > INT32_MAX) {
            refuse("heads hold too many possible candidates: ", candidates);
        }
    }
    plans.cells = static_cast<std::uint32_t>(cells);
    plans.candidates = static_cast<std::uint32_t>(candidates);
    return plans;
}

void check_head_memory(const DecodeJob& job) {
    for (std::size_t i = 0; i < job.heads.size(); ++i) {
        const void* values = job.heads[i].values;
        if (!is_aligned(values, job.type == FloatType::kFloat16 ? 2 : 4)) {
            refuse("heads[", i, "] must be device memory aligned to its elements, got pointer ",
                   reinterpret_cast<std::uintptr_t>(values));
        }
    }
}

void check_candidates(const CandidateList& list, int count) {
    if (!is_aligned(list.boxes, 16) || !is_aligned(list.scores, 4) ||
        !is_aligned(list.class_ids, 4)) {
        refuse("boxes, scores and class_ids must be device memory, boxes aligned to 16 bytes");
    }
    if (!is_aligned(list.count, 4)) refuse("count must be device memory aligned to 4 bytes");
    if (list.capacity < count) {
        refuse("candidates need room for max_candidates, ", count, ", got ", list.capacity);
    }
}

void check_workspace(const Workspace& workspace, std::size_t needed) {
    if (!is_aligned(workspace.data, 16)) {
        refuse("workspace must be device memory aligned to 16 bytes, got pointer ",
               reinterpret_cast<std::uintptr_t>(workspace.data));
    }
    if (workspace.bytes < needed) {
        refuse("workspace must have at least ", needed, " bytes, got ", workspace.bytes);
    }
}

}  // namespace edgeseg::cuda
