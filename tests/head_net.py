"""A small Darknet cfg with two heads, a route and a shortcut, for tests of the linter."""

CFG = """\
[net]
batch=64
batch=1
width=64
height=64
channels=3
learning_rate=0.001

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=mish

[convolutional]
filters=14   # head 1
size=1
activation=linear

[yolo]
mask=2,3   # head 1
anchors=4,6, 8,9, 20,22, 40,41   # head 1
classes=2   # head 1
num=4   # head 1

[route]
layers=-3

[convolutional]
filters=8
size=1
activation=leaky

[shortcut]
from=-1

[upsample]
stride=2

[route]
layers=-1, 1

[convolutional]
filters=14   # head 2
size=1
activation=linear   # head 2

[yolo]
mask=0,1   # head 2
anchors=4,6, 8,9, 20,22, 40,41   # head 2
classes=2   # head 2
num=4   # head 2
"""
NAMES = "cat\ntraffic light\n"
