"""TensorRT 10.3 to 11.x and TensorRT-RTX: build a plan from a model's ONNX file.

`build.py` is the way; `bindings.py` lists every call into TensorRT.
"""
