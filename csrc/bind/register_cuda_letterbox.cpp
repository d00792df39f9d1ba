#include <pybind11/stl.h>

#include <array>
#include <utility>

#include "bind/cuda_pictures.h"
#include "bind/register_cuda.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

void bound_letterbox(const std::vector<BoundPicture>& pictures,
                     const std::vector<std::array<int, 4>>& regions, std::uintptr_t out,
                     const std::pair<int, int>& net_px, std::uintptr_t stream,
                     const std::string& format, const std::string& dtype, float pad) {
    if (pictures.size() != regions.size()) {
        refuse("pictures and regions must be as many, got ", pictures.size(), " and ",
               regions.size());
    }
    cuda::LetterboxBatch batch = {{},
                                  format_named(format),
                                  device_pointer<void>(out),
                                  float_type(dtype),
                                  net_px.first,
                                  net_px.second,
                                  pad};
    for (std::size_t i = 0; i < pictures.size(); ++i) {
        const BoundPicture& picture = pictures[i];
        const std::array<int, 4>& region = regions[i];
        batch.pictures.push_back(picture_of(picture, {region[0], region[1], region[2], region[3]}));
    }
    const cudaStream_t on = stream_of(stream);
    const py::gil_scoped_release release;
    cuda::letterbox(batch, on);
}

}  // namespace

void register_cuda_letterbox(py::module_& cuda) {
    py::class_<BoundPicture>(cuda, "Picture", "One picture in device memory.")
        .def(py::init([](std::uintptr_t pixels, const std::pair<int, int>& size_px,
                         std::int64_t pitch, std::uintptr_t chroma, std::int64_t chroma_pitch) {
                 return BoundPicture{pixels, chroma, size_px, pitch, chroma_pitch};
             }),
             py::arg("pixels"), py::arg("size_px"), py::arg("pitch"), py::kw_only(),
             py::arg("chroma") = 0, py::arg("chroma_pitch") = 0);
    cuda.attr("MAX_BATCH") = cuda::kMaxBatch;
    cuda.def("letterbox", &bound_letterbox, "Resize pictures into a batch of RGB tensors.",
             py::arg("pictures"), py::arg("regions"), py::arg("out"), py::arg("net_px"),
             py::arg("stream"), py::kw_only(), py::arg("format") = "bgr",
             py::arg("dtype") = "float32", py::arg("pad") = 127.5f);
}

}  // namespace edgeseg::bind
