#include "cuda/check.h"

#include <sstream>
#include <string>

#include "ops/device.h"

namespace edgeseg::cuda {

void check(cudaError_t status, const char* call, const char* file, int line) {
    if (status == cudaSuccess) return;
    cudaGetLastError();  // or the next launch reports this error once more
    const std::string path = file;
    const std::size_t source = path.rfind("csrc/");
    std::ostringstream text;
    text << cudaGetErrorName(status) << ": " << cudaGetErrorString(status) << "; in " << call
         << " at " << (source == std::string::npos ? path : path.substr(source)) << ":" << line;
    throw DeviceCallError(text.str());
}

}  // namespace edgeseg::cuda
