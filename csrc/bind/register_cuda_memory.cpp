#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>

#include "bind/register_cuda.h"
#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/stream.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

std::uintptr_t address_of(const cuda::Buffer& buffer) {
    return reinterpret_cast<std::uintptr_t>(buffer.data());
}

std::uintptr_t handle_of(const cuda::Stream& stream) {
    return reinterpret_cast<std::uintptr_t>(stream.get());
}

void check_packed(const py::array& array) {
    if (!(array.flags() & py::array::c_style)) {
        refuse("array must be C-contiguous; pass np.ascontiguousarray(array)");
    }
}

void upload(cuda::Buffer& buffer, const py::array& array, std::uintptr_t stream,
            std::size_t offset) {
    check_packed(array);
    const cudaStream_t on = stream_of(stream);
    const void* source = array.data();
    const auto bytes = static_cast<std::size_t>(array.nbytes());
    const py::gil_scoped_release release;
    buffer.upload(source, bytes, offset, on);
}

void download(const cuda::Buffer& buffer, py::array& array, std::uintptr_t stream,
              std::size_t offset) {
    check_packed(array);
    if (!array.writeable()) refuse("array must be writeable, got a read-only array");
    const cudaStream_t on = stream_of(stream);
    void* target = array.mutable_data();
    const auto bytes = static_cast<std::size_t>(array.nbytes());
    const py::gil_scoped_release release;
    buffer.download(target, bytes, offset, on);
}

void fill(cuda::Buffer& buffer, int value, std::uintptr_t stream) {
    if (value < 0 || value > 255) refuse("value must be from 0 to 255, got ", value);
    const cudaStream_t on = stream_of(stream);
    const py::gil_scoped_release release;
    buffer.fill(value, on);
}

void copy(std::uintptr_t target, std::uintptr_t source, std::size_t bytes, std::uintptr_t stream) {
    const cudaStream_t on = stream_of(stream);
    const py::gil_scoped_release release;
    cuda::copy(device_pointer<void>(target), device_pointer<const void>(source), bytes, on);
}

py::dict device_facts(int device) {
    const cuda::DeviceFacts facts = cuda::facts(device);
    py::dict all;
    all["name"] = facts.name;
    all["compute_capability"] = py::make_tuple(facts.major, facts.minor);
    all["multiprocessors"] = facts.multiprocessors;
    all["memory_bytes"] = facts.memory_bytes;
    all["l2_bytes"] = facts.l2_bytes;
    all["integrated"] = facts.integrated;
    all["maps_host_memory"] = facts.maps_host_memory;
    return all;
}

}  // namespace

void register_cuda_memory(py::module_& cuda) {
    using py::arg;
    cuda.def("device_facts", &device_facts, "Tell what a device is.", arg("device") = 0);
    cuda.def("use_device", &cuda::use_device, "Make a device the one of this thread.",
             arg("device"));
    cuda.def("current_device", &cuda::current_device, "Tell the device of this thread.");
    py::class_<cuda::Buffer>(cuda, "Buffer", "Memory of the current device, freed with this.")
        .def(py::init<std::size_t>(), arg("bytes"))
        .def_property_readonly("pointer", &address_of)
        .def_property_readonly("bytes", &cuda::Buffer::bytes)
        .def("upload", &upload, "Copy an array to the device.", arg("array").noconvert(),
             arg("stream"), arg("offset") = 0)
        .def("download", &download, "Copy from the device into an array, and wait for it.",
             arg("array").noconvert(), arg("stream"), arg("offset") = 0)
        .def(
            "copy_to",
            [](const cuda::Buffer& buffer, cuda::Buffer& target, std::uintptr_t stream) {
                buffer.copy_to(target, stream_of(stream));
            },
            "Copy all of it to another buffer of the device.", arg("target"), arg("stream"),
            py::call_guard<py::gil_scoped_release>())
        .def("fill", &fill, "Set every byte.", arg("value"), arg("stream"));
    py::class_<cuda::HostBuffer>(cuda, "HostBuffer",
                                 "Memory of the host that copies reach directly, freed with this.")
        .def(py::init<std::size_t, bool>(), arg("bytes"), py::kw_only(), arg("mapped") = false)
        .def_property_readonly("pointer",
                               [](const cuda::HostBuffer& buffer) {
                                   return reinterpret_cast<std::uintptr_t>(buffer.data());
                               })
        .def_property_readonly("device_pointer",
                               [](const cuda::HostBuffer& buffer) {
                                   return reinterpret_cast<std::uintptr_t>(buffer.on_device());
                               })
        .def_property_readonly("bytes", &cuda::HostBuffer::bytes)
        .def_property_readonly("array", [](const py::object& self) {
            const auto& buffer = self.cast<const cuda::HostBuffer&>();
            return py::array_t<std::uint8_t>(static_cast<py::ssize_t>(buffer.bytes()),
                                             static_cast<std::uint8_t*>(buffer.data()), self);
        });
    cuda.def("copy", &copy, "Enqueue a copy between device memory and host buffers.", arg("target"),
             arg("source"), arg("bytes"), arg("stream"));
    cuda.def(
        "free_memory",
        [] {
            const cuda::FreeMemory memory = cuda::free_memory();
            return std::make_pair(memory.free, memory.total);
        },
        "Tell free and total bytes of the current device.");
    py::class_<cuda::Stream>(cuda, "Stream", "A stream that does not wait for the default one.")
        .def(py::init<>())
        .def_property_readonly("handle", &handle_of)
        .def("synchronize", &cuda::Stream::synchronize, "Wait for all of its work.",
             py::call_guard<py::gil_scoped_release>());
    cuda.def(
        "wait_for",
        [](std::uintptr_t stream, std::uintptr_t other) {
            cuda::wait_for(stream_of(stream), stream_of(other));
        },
        "Let a stream wait for what another has been given.", arg("stream"), arg("other"),
        py::call_guard<py::gil_scoped_release>());
    py::class_<cuda::Event>(cuda, "Event", "A moment of a stream.")
        .def(py::init<bool>(), py::kw_only(), arg("blocking") = false)
        .def(
            "record",
            [](cuda::Event& event, std::uintptr_t stream) { event.record(stream_of(stream)); },
            arg("stream"), py::call_guard<py::gil_scoped_release>())
        .def("synchronize", &cuda::Event::synchronize, "Wait for this moment.",
             py::call_guard<py::gil_scoped_release>())
        .def("elapsed_ms", &cuda::Event::elapsed_ms,
             "Wait for this event; give the milliseconds since `begin`.", arg("begin"),
             py::call_guard<py::gil_scoped_release>());
    py::class_<cuda::Graph>(cuda, "Graph", "Work that a stream was given, to give it again.")
        .def(py::init([](std::uintptr_t stream) {
                 return std::make_unique<cuda::Graph>(stream_of(stream));
             }),
             "End the capture that begin_capture began.", arg("stream"))
        .def_static(
            "begin_capture",
            [](std::uintptr_t stream) { cuda::Graph::begin_capture(stream_of(stream)); },
            arg("stream"))
        .def_static(
            "abandon_capture",
            [](std::uintptr_t stream) { cuda::Graph::abandon_capture(stream_of(stream)); },
            "End a capture and forget what it holds.", arg("stream"))
        .def(
            "launch",
            [](const cuda::Graph& graph, std::uintptr_t stream) {
                graph.launch(stream_of(stream));
            },
            arg("stream"), py::call_guard<py::gil_scoped_release>());
}

}  // namespace edgeseg::bind
