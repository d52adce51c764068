"""Winograd's transforms, and the feeder that reads patches."""
