// The product's own bindings and host code of the CUDA ops, over the stand-in runtime.
#include "bind/arrays.cpp"
#include "bind/names.cpp"
#include "bind/register_cuda.cpp"
#include "bind/register_cuda_detect.cpp"
#include "bind/register_cuda_letterbox.cpp"
#include "bind/register_cuda_memory.cpp"
#include "bind/register_decode.cpp"
#include "bind/register_device.cpp"

namespace {

// Python's part of a stream's work, such as a network that is not ours.
void enqueue(std::uintptr_t stream, pybind11::function work) {
    const auto on = edgeseg::bind::stream_of(stream);
    // Shared and let go of with the GIL held, whoever lets go last.
    const std::shared_ptr<pybind11::function> kept(new pybind11::function(std::move(work)),
                                                   [](pybind11::function* function) {
                                                       const pybind11::gil_scoped_acquire gil;
                                                       delete function;
                                                   });
    const pybind11::gil_scoped_release release;
    on_cpu::enqueue(on, [kept] {
        const pybind11::gil_scoped_acquire gil;
        try {
            (*kept)();
        } catch (pybind11::error_already_set& error) {
            error.discard_as_unraisable("work of a stream");
            return cudaErrorLaunchFailure;
        }
        return cudaSuccess;
    });
}

}  // namespace

PYBIND11_MODULE(_native_on_cpu, module) {
    module.def("enqueue", &enqueue);
    module.def("set_lazy", &on_cpu::set_lazy);
    module.def("set_integrated", &on_cpu::set_integrated);
    module.def("break_next_capture", &on_cpu::break_next_capture);
    module.def("bytes_allocated", &on_cpu::bytes_allocated);
    edgeseg::bind::register_device(module);
    edgeseg::bind::register_decode(module);
    edgeseg::bind::register_cuda(module);
}
