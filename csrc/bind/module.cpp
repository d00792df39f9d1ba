#include "bind/register.h"
#if defined(EDGESEG_WITH_CUDA)
#include "bind/register_cuda.h"
#endif

PYBIND11_MODULE(_native, module) {
    module.doc() = "Pixel work of edgeseg in C++; see csrc/ops for what each op promises.";
    edgeseg::bind::register_device(module);
    edgeseg::bind::register_letterbox(module);
    edgeseg::bind::register_decode(module);
    edgeseg::bind::register_nms(module);
    edgeseg::bind::register_argmax(module);
    edgeseg::bind::register_prototypes(module);
    edgeseg::bind::register_crop_resize(module);
    edgeseg::bind::register_masks(module);
    edgeseg::bind::register_polygons(module);
    edgeseg::bind::register_rle(module);
    edgeseg::bind::register_motion(module);
    edgeseg::bind::register_tracker(module);
#if defined(EDGESEG_WITH_CUDA)
    edgeseg::bind::register_cuda(module);
#endif
}
