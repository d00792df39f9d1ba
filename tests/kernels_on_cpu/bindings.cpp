// The product's own bindings and host code of the CUDA ops, over the stand-in runtime.
#include "bind/arrays.cpp"
#include "bind/names.cpp"
#include "bind/register_cuda.cpp"
#include "bind/register_cuda_detect.cpp"
#include "bind/register_cuda_letterbox.cpp"
#include "bind/register_cuda_memory.cpp"
#include "bind/register_decode.cpp"
#include "bind/register_device.cpp"

PYBIND11_MODULE(_native_on_cpu, module) {
    edgeseg::bind::register_device(module);
    edgeseg::bind::register_decode(module);
    edgeseg::bind::register_cuda(module);
}
