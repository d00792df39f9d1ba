#pragma once

// Marks a pure function that the host and the device both compile.
#if defined(__CUDACC__)
#define EDGESEG_HD __host__ __device__
#else
#define EDGESEG_HD
#endif
