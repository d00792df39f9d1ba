"""Precision in the graph: fp16, and INT8 as explicit quantize/dequantize pairs.

calibrate.py runs the fp32 network over real frames and collects histograms;
thresholds.py turns them into ranges; scales.py is the file that holds them;
graph.py writes the pairs, half.py the fp16; gate.py compares with fp32.
"""
