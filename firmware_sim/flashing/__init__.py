"""Firmware and models as files for a board, and the vendors' tools that put them there."""
