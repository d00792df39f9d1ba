#include "bind/register_cuda.h"

namespace edgeseg::bind {

void register_cuda(pybind11::module_& module) {
    pybind11::module_ cuda = module.def_submodule(
        "cuda", "The ops on a CUDA device: they take device pointers and a stream's handle.");
    register_cuda_memory(cuda);
    register_cuda_letterbox(cuda);
    register_cuda_detect(cuda);
    register_cuda_masks(cuda);
}

}  // namespace edgeseg::bind
