#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/geometry.h"
#include "core/nms_words.h"
#include "cuda/letterbox.h"
#include "cuda/rank.h"
#include "ops/decode.h"

namespace edgeseg::cuda {

// Scratch memory of decode and nms, given by the caller: no call allocates.
struct Workspace {
    void* data;  // aligned to 16 bytes
    std::size_t bytes;
};

// Candidates in device memory.
struct CandidateList {
    core::Box* boxes;
    float* scores;
    std::int32_t* class_ids;
    std::uint32_t* count;
    int capacity;
};

struct Head {
    const void* values;  // [channels, rows, columns], packed
    int channels, rows, columns;
};

struct DecodeJob {
    std::vector<Head> heads;
    std::vector<YoloHead> specs;
    FloatType type;
    DecodeOptions options;       // max_candidates at most kMaxRanked
    const std::uint8_t* wanted;  // for each class, not 0: may be a candidate; null: all may
};

// As edgeseg::decode (ops/decode.h) bit for bit, except that the candidates come in the strict
// order. Numbers of kFloat16 heads are widened first.
//
// Classes that are not wanted are left out before the best max_candidates are taken.
// Enqueues four kernels and no allocation, reads every count on the device, can be captured.
// `out` needs room for max_candidates.
//
// Throws std::invalid_argument for what ops/decode.h refuses, for more than core::kMaxHeads heads,
// core::kMaxAnchors anchors, kMaxRanked candidates or 2^32 possible ones, or too small a workspace.
void decode(const DecodeJob& job, const CandidateList& out, const Workspace& workspace,
            cudaStream_t stream);

// What decode needs for these heads.
std::size_t decode_workspace_bytes(const DecodeJob& job);

// A kept box: what one copy of a few kilobytes brings to the host.
struct Detection {
    core::Box box;  // in source pixels when the job has a map
    float score;
    std::int32_t class_id;
    std::uint32_t index;  // of the candidate
    std::uint32_t unused;
};

struct DetectionHeader {
    std::uint32_t count;
    std::uint32_t unused[3];
};

struct NmsJob {
    CandidateList candidates;  // count null: `capacity` candidates
    bool ranked;               // they are in the strict order, and finite: decode's are
    int max_candidates;        // the best so many compete, at most kMaxRanked
    core::OverlapRule rule;
    int max_detections;
    core::SourceMap map;
    void* out;  // a DetectionHeader, then max_detections of Detection; aligned to 16 bytes
};

// As edgeseg::nms (ops/nms.h), same boxes in the same order, among the best max_candidates.
//
// Enqueues two kernels (five when not ranked), no allocation, reads every count on the device,
// can be captured.
//
// Throws std::invalid_argument when an option is out of range or the workspace too small.
void nms(const NmsJob& job, const Workspace& workspace, cudaStream_t stream);

std::size_t nms_workspace_bytes(const NmsJob& job);

}  // namespace edgeseg::cuda
