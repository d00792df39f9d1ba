#pragma once

#include <cuda_runtime.h>

namespace edgeseg::cuda {

// A stream of its own, that does not wait for the default stream.
class Stream {
 public:
    Stream();
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    cudaStream_t get() const { return stream_; }
    void synchronize() const;

 private:
    cudaStream_t stream_ = nullptr;
};

// Let what `stream` is given from here on wait for all that `other` has been given.
void wait_for(cudaStream_t stream, cudaStream_t other);

// A moment of a stream.
class Event {
 public:
    // `blocking`: who waits for it leaves the processor to others.
    explicit Event(bool blocking = false);
    ~Event();
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    cudaEvent_t get() const { return event_; }
    void record(cudaStream_t stream);
    void synchronize() const;
    // Milliseconds from `begin` to this; waits for this.
    float elapsed_ms(const Event& begin) const;

 private:
    cudaEvent_t event_ = nullptr;
};

// The work that a stream was given between begin_capture and the making of this.
class Graph {
 public:
    static void begin_capture(cudaStream_t stream);
    // Ends the capture and forgets what it holds; does nothing when there is none.
    static void abandon_capture(cudaStream_t stream);

    // Ends the capture.
    explicit Graph(cudaStream_t stream);
    ~Graph();
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;

    void launch(cudaStream_t stream) const;

 private:
    cudaGraphExec_t executable_ = nullptr;
};

}  // namespace edgeseg::cuda
