"""Sparse layers: lanes that walk through streams of non-zero weights, and the tree that adds up what they find."""
