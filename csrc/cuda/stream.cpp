#include "cuda/stream.h"

#include "cuda/check.h"

namespace edgeseg::cuda {

Stream::Stream() { EDGESEG_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }

Stream::~Stream() { cudaStreamDestroy(stream_); }

void Stream::synchronize() const { EDGESEG_CUDA(cudaStreamSynchronize(stream_)); }

void wait_for(cudaStream_t stream, cudaStream_t other) {
    Event now;
    now.record(other);
    EDGESEG_CUDA(cudaStreamWaitEvent(stream, now.get(), 0));
}

Event::Event(bool blocking) {
    EDGESEG_CUDA(cudaEventCreateWithFlags(&event_, blocking ? cudaEventBlockingSync : 0));
}

Event::~Event() { cudaEventDestroy(event_); }

void Event::record(cudaStream_t stream) { EDGESEG_CUDA(cudaEventRecord(event_, stream)); }

void Event::synchronize() const { EDGESEG_CUDA(cudaEventSynchronize(event_)); }

float Event::elapsed_ms(const Event& begin) const {
    EDGESEG_CUDA(cudaEventSynchronize(event_));
    float milliseconds = 0.0f;
    EDGESEG_CUDA(cudaEventElapsedTime(&milliseconds, begin.event_, event_));
    return milliseconds;
}

void Graph::begin_capture(cudaStream_t stream) {
    EDGESEG_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
}

void Graph::abandon_capture(cudaStream_t stream) {
    cudaGraph_t graph = nullptr;
    if (cudaStreamEndCapture(stream, &graph) == cudaSuccess && graph != nullptr) {
        cudaGraphDestroy(graph);
    }
    cudaGetLastError();  // or the next launch reports the broken capture once more
}

Graph::Graph(cudaStream_t stream) {
    cudaGraph_t graph = nullptr;
    EDGESEG_CUDA(cudaStreamEndCapture(stream, &graph));
    const cudaError_t made = cudaGraphInstantiateWithFlags(&executable_, graph, 0);
    cudaGraphDestroy(graph);
    EDGESEG_CUDA(made);
}

Graph::~Graph() { cudaGraphExecDestroy(executable_); }

void Graph::launch(cudaStream_t stream) const {
    EDGESEG_CUDA(cudaGraphLaunch(executable_, stream));
}

}  // namespace edgeseg::cuda
