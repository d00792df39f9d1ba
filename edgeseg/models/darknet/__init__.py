"""Darknet files: cfg, what it makes (`plan`), weights, the way to ONNX (`export`), `lint`."""
