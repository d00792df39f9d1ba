#include <pybind11/stl.h>

#include "bind/cuda_pictures.h"
#include "bind/register_cuda.h"
#include "cuda/blend.h"
#include "cuda/crop_resize.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

void bound_crop_resize(const BoundPicture& picture, std::uintptr_t boxes, int count,
                       std::uintptr_t out, const std::pair<int, int>& crop_px,
                       std::uintptr_t stream, const std::string& format, const std::string& dtype,
                       float pad) {
    const cuda::CropBatch batch = {picture_of(picture, {}),
                                   format_named(format),
                                   device_pointer<const float>(boxes),
                                   count,
                                   device_pointer<void>(out),
                                   float_type(dtype),
                                   crop_px.first,
                                   crop_px.second,
                                   pad};
    const cudaStream_t on = stream_of(stream);
    const py::gil_scoped_release release;
    cuda::crop_resize(batch, on);
}

void bound_blend(std::uintptr_t pixels, const std::pair<int, int>& size_px, std::int64_t pitch,
                 std::uintptr_t records, int count,
                 const std::pair<std::uintptr_t, std::int64_t>& grids, std::uintptr_t stream,
                 float alpha) {
    const cuda::BlendBatch batch = {device_pointer<std::uint8_t>(pixels),
                                    size_px.first,
                                    size_px.second,
                                    pitch,
                                    device_pointer<const cuda::MaskRecord>(records),
                                    count,
                                    device_pointer<const std::uint8_t>(grids.first),
                                    grids.second,
                                    alpha};
    const cudaStream_t on = stream_of(stream);
    const py::gil_scoped_release release;
    cuda::blend(batch, on);
}

}  // namespace

void register_cuda_masks(py::module_& cuda) {
    cuda.attr("MAX_CROPS") = cuda::kMaxCrops;
    cuda.attr("MASK_RECORD_BYTES") = sizeof(cuda::MaskRecord);
    cuda.def("crop_resize", &bound_crop_resize,
             "Bring the part of a picture under each box to one size, as RGB.", py::arg("picture"),
             py::arg("boxes"), py::arg("count"), py::arg("out"), py::arg("crop_px"),
             py::arg("stream"), py::kw_only(), py::arg("format") = "bgr",
             py::arg("dtype") = "float32", py::arg("pad") = 114.0f);
    cuda.def("blend", &bound_blend, "Lay masks over a picture in place, the first in front.",
             py::arg("pixels"), py::arg("size_px"), py::arg("pitch"), py::arg("records"),
             py::arg("count"), py::arg("grids"), py::arg("stream"), py::kw_only(),
             py::arg("alpha") = 0.45f);
}

}  // namespace edgeseg::bind
