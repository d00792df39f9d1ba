# Each target makes what it needs in .venv. PYTHON chooses the interpreter (3.10 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NATIVE := CMakeLists.txt pyproject.toml $(shell find csrc cmake -type f)
CXX_FILES := $(shell find csrc tests/kernels_on_cpu tests/host_driver.cpp -name '*.h' -o -name '*.cpp' -o -name '*.cu')

.DEFAULT_GOAL := help
.PHONY: help demo test camera-test service-test lint format bench gpu-check clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(VENV)/pip.ok:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "edgeseg needs Python 3.10 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=23'
	@touch $@

$(VENV)/run.ok: $(VENV)/pip.ok $(NATIVE)
	$(BIN)/python -m pip install --quiet --editable '.[cpu]'
	@touch $@

$(VENV)/dev.ok: $(VENV)/pip.ok $(NATIVE)
	$(BIN)/python -m pip install --quiet --editable '.[cpu,gui,test,lint]'
	@touch $@ $(VENV)/run.ok

demo: $(VENV)/run.ok  ## a real clip with yolov3-tiny: annotated video, JSONL, summary
	$(BIN)/edgeseg run demo:// --model yolov3-tiny --sink edgeseg-out/demo.mp4 --sink edgeseg-out/demo.jsonl

test: $(VENV)/dev.ok  ## all tests
	$(BIN)/python -m pytest

camera-test: $(VENV)/pip.ok  ## cameras, on a real V4L2 driver in an emulated PC; needs root, see tests/vm/README.md
	PYTHON=$(BIN)/python tests/vm/camera.sh

service-test: $(VENV)/dev.ok  ## the service, under a real systemd in a container; needs root, see tests/service/README.md
	PYTHON=$(BIN)/python tests/service/container.sh

lint: $(VENV)/dev.ok  ## format, lint and types, without changing a file
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)

format: $(VENV)/dev.ok  ## bring every file into format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i $(CXX_FILES)

bench: $(VENV)/dev.ok  ## the native ops and the whole pipeline against what one would write by hand
	$(BIN)/python tools/bench_ops.py --output edgeseg-out/bench_ops.json
	$(BIN)/python tools/bench_pipeline.py --output edgeseg-out/bench_pipeline.json

# A device is required here: a test that cannot reach it fails instead of being skipped.
# The selftest's 8 says that nothing here runs networks on the GPU: its receipt has the rest.
gpu-check: $(VENV)/dev.ok  ## on a machine with a GPU: ops and chain against the CPU's, selftest, times
	EDGESEG_REQUIRE_CUDA=1 $(BIN)/python -m pytest tests/ops tests/device
	$(BIN)/edgeseg selftest --output edgeseg-out/selftest.json || [ $$? = 8 ]
	$(BIN)/python tools/bench_cuda.py --output edgeseg-out/bench_cuda.json

clean:  ## remove the environment and every build product
	rm -rf $(VENV) build edgeseg-out edgeseg/_native*.so
