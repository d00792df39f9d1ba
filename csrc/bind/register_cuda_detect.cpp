#include <pybind11/stl.h>

#include <array>
#include <optional>
#include <tuple>
#include <utility>

#include "bind/names.h"
#include "bind/register_cuda.h"
#include "cuda/detect.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

using Shape = std::tuple<int, int, int>;  // channels, rows, columns
using Memory = std::pair<std::uintptr_t, std::size_t>;

struct BoundCandidates {
    std::uintptr_t boxes, scores, class_ids, count;
    int capacity;
};

cuda::CandidateList list_of(const BoundCandidates& bound) {
    return {device_pointer<core::Box>(bound.boxes), device_pointer<float>(bound.scores),
            device_pointer<std::int32_t>(bound.class_ids),
            device_pointer<std::uint32_t>(bound.count), bound.capacity};
}

// Everything that does not change from frame to frame but the heads' addresses.
class Decoder {
 public:
    Decoder(const std::vector<Shape>& shapes, std::vector<YoloHead> specs,
            const std::pair<int, int>& net_px, float conf, const std::string& labels,
            int max_candidates, const std::string& dtype, std::uintptr_t wanted) {
        for (const auto& [channels, rows, columns] : shapes) {
            job_.heads.push_back({nullptr, channels, rows, columns});
        }
        job_.specs = std::move(specs);
        job_.type = float_type(dtype);
        job_.options = {net_px.first, net_px.second, conf, multi_label(labels), max_candidates};
        job_.wanted = device_pointer<const std::uint8_t>(wanted);
        bytes_ = cuda::decode_workspace_bytes(job_);
    }

    std::size_t workspace_bytes() const { return bytes_; }

    void run(const std::vector<std::uintptr_t>& heads, const BoundCandidates& out,
             const Memory& workspace, std::uintptr_t stream) {
        if (heads.size() != job_.heads.size()) {
            refuse("heads must be ", job_.heads.size(), ", got ", heads.size());
        }
        for (std::size_t i = 0; i < heads.size(); ++i) {
            job_.heads[i].values = device_pointer<const void>(heads[i]);
        }
        const cudaStream_t on = stream_of(stream);
        const py::gil_scoped_release release;
        cuda::decode(job_, list_of(out), {device_pointer<void>(workspace.first), workspace.second},
                     on);
    }

 private:
    cuda::DecodeJob job_;
    std::size_t bytes_;
};

cuda::NmsJob nms_job(const BoundCandidates& candidates, std::uintptr_t out, float iou,
                     const std::string& kind, bool agnostic, int max_detections, int max_candidates,
                     bool ranked, const std::optional<std::array<float, 6>>& to_source) {
    cuda::NmsJob job{};
    job.candidates = list_of(candidates);
    job.ranked = ranked;
    job.max_candidates = max_candidates;
    job.rule = {iou, overlap_of(kind) == Overlap::kDiou, agnostic};
    job.max_detections = max_detections;
    job.out = device_pointer<void>(out);
    if (to_source) {
        const std::array<float, 6>& map = *to_source;
        if (!(map[2] > 0.0f && map[3] > 0.0f)) refuse("to_source must have scales above 0");
        job.map = {map[0], map[1], map[2], map[3], map[4], map[5]};
    }
    return job;
}

void bound_nms(const BoundCandidates& candidates, std::uintptr_t out, const Memory& workspace,
               std::uintptr_t stream, float iou, const std::string& kind, bool agnostic,
               int max_detections, int max_candidates, bool ranked,
               const std::optional<std::array<float, 6>>& to_source) {
    const cuda::NmsJob job = nms_job(candidates, out, iou, kind, agnostic, max_detections,
                                     max_candidates, ranked, to_source);
    const cudaStream_t on = stream_of(stream);
    const py::gil_scoped_release release;
    cuda::nms(job, {device_pointer<void>(workspace.first), workspace.second}, on);
}

std::size_t nms_workspace_bytes(int capacity, bool ranked) {
    cuda::NmsJob job{};
    job.candidates.capacity = capacity;
    job.ranked = ranked;
    job.max_candidates = job.max_detections = cuda::kMaxRanked;
    return cuda::nms_workspace_bytes(job);
}

void register_decoder(py::module_& cuda) {
    py::class_<Decoder>(cuda, "Decoder", "decode for heads of one shape.")
        .def(py::init<const std::vector<Shape>&, std::vector<YoloHead>, const std::pair<int, int>&,
                      float, const std::string&, int, const std::string&, std::uintptr_t>(),
             py::arg("shapes"), py::arg("specs"), py::arg("net_px"), py::arg("conf"),
             py::arg("labels") = "multi", py::kw_only(), py::arg("max_candidates") = 4096,
             py::arg("dtype") = "float32", py::arg("wanted") = 0)
        .def_property_readonly("workspace_bytes", &Decoder::workspace_bytes)
        .def("run", &Decoder::run, "Find the candidates of one picture, best first.",
             py::arg("heads"), py::arg("out"), py::arg("workspace"), py::arg("stream"));
}

}  // namespace

void register_cuda_detect(py::module_& cuda) {
    cuda.attr("MAX_CANDIDATES") = cuda::kMaxRanked;
    cuda.attr("HEADER_BYTES") = sizeof(cuda::DetectionHeader);
    cuda.attr("DETECTION_BYTES") = sizeof(cuda::Detection);
    py::class_<BoundCandidates>(cuda, "Candidates", "Candidates in device memory.")
        .def(py::init([](std::uintptr_t boxes, std::uintptr_t scores, std::uintptr_t class_ids,
                         std::uintptr_t count, int capacity) {
                 return BoundCandidates{boxes, scores, class_ids, count, capacity};
             }),
             py::arg("boxes"), py::arg("scores"), py::arg("class_ids"), py::arg("count"),
             py::arg("capacity"));
    register_decoder(cuda);
    cuda.def("nms_workspace_bytes", &nms_workspace_bytes, "Bytes that nms needs.",
             py::arg("capacity"), py::kw_only(), py::arg("ranked") = false);
    cuda.def("nms", &bound_nms, "Choose boxes greedily, per class, best first.",
             py::arg("candidates"), py::arg("out"), py::arg("workspace"), py::arg("stream"),
             py::arg("iou") = 0.45f, py::kw_only(), py::arg("kind") = "greedy",
             py::arg("agnostic") = false, py::arg("max_detections") = 300,
             py::arg("max_candidates") = 4096, py::arg("ranked") = false,
             py::arg("to_source") = py::none());
}

}  // namespace edgeseg::bind
