# The kernels as an object library, so that pybind11 and the rest stay out of nvcc. Sets
# EDGESEG_WITH_CUDA, or stops where EDGESEG_CUDA=ON cannot be had.
include(CheckLanguage)

# What the user asked for, before CMake fills in a default. CMake reads CUDAARCHS itself only
# where nothing is set yet.
set(EDGESEG_ARCHS ${CMAKE_CUDA_ARCHITECTURES})
if(NOT EDGESEG_ARCHS AND DEFINED ENV{CUDAARCHS})
  set(EDGESEG_ARCHS $ENV{CUDAARCHS})
endif()

check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  if(EDGESEG_CUDA STREQUAL "ON")
    message(FATAL_ERROR "EDGESEG_CUDA=ON, but no nvcc was found: set CUDACXX to its path")
  endif()
  message(STATUS "edgeseg: no nvcc, no CUDA kernels")
  return()
endif()
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 11.8)
  set(EDGESEG_TOO_OLD "nvcc ${CMAKE_CUDA_COMPILER_VERSION} is too old, 11.8 is needed")
  if(EDGESEG_CUDA STREQUAL "ON")
    message(FATAL_ERROR "EDGESEG_CUDA=ON, but ${EDGESEG_TOO_OLD}")
  endif()
  message(STATUS "edgeseg: ${EDGESEG_TOO_OLD}; no CUDA kernels")
  return()
endif()
find_package(CUDAToolkit REQUIRED)

if(NOT EDGESEG_ARCHS)
  # Machine code for Turing, Orin, Hopper and Thor; PTX for what comes later.
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 13.0)
    set(EDGESEG_ARCHS 75-real 87-real 90-real 110)
  else()
    set(EDGESEG_ARCHS 72-real 75-real 87-real 90)
  endif()
endif()
message(STATUS "edgeseg: CUDA kernels for ${EDGESEG_ARCHS}, "
               "nvcc ${CMAKE_CUDA_COMPILER_VERSION}")

file(GLOB EDGESEG_KERNELS CONFIGURE_DEPENDS csrc/cuda/*.cu)
add_library(edgeseg_kernels OBJECT ${EDGESEG_KERNELS})
target_include_directories(edgeseg_kernels PRIVATE csrc)
set_target_properties(edgeseg_kernels PROPERTIES
  POSITION_INDEPENDENT_CODE ON
  CUDA_STANDARD 17
  CUDA_STANDARD_REQUIRED ON
  CUDA_VISIBILITY_PRESET hidden
  CUDA_RUNTIME_LIBRARY Static
  CUDA_ARCHITECTURES "${EDGESEG_ARCHS}")
# -fmad=false: the GPU and the CPU must round alike, so no multiply-add is fused.
target_compile_options(edgeseg_kernels PRIVATE
  -fmad=false -Xcompiler=-Wall,-Wextra,-ffp-contract=off)
set(EDGESEG_WITH_CUDA ON)
