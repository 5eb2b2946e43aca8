"""Data sets: what is in them, where it came from, and what is wrong with it."""
