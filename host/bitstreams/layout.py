"""Names that the parts of a bitstream share."""

from __future__ import annotations

TOP = "board"
"""Of the module that is the whole chip."""

BITSTREAM = "bitstream"
"""The folder of all files, within the one that network and accelerator come from."""

LOADED = ("rom", "main_ram")
"""Memories that the bitstream fills."""
