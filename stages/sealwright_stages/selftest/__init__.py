"""Tries to break out of the sandbox for real, on this machine, with bait of its own."""
