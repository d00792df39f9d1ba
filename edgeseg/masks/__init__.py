"""Pixel masks of objects."""
