"""Segmentation of time: shots, and when each class and each track was there."""
