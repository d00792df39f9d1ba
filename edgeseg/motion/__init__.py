"""What moves before a camera that stands still: `--segment motion`, and a part of `foreground`."""
