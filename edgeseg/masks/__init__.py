"""Pixel masks of objects: from the box to the pixels, and steady over time."""
