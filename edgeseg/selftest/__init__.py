"""`edgeseg selftest`: prove on this machine that what it computes is right, and say how fast."""
