"""Names that the parts of a bitstream share."""

from __future__ import annotations

TOP = "board"
"""Of the module that is the whole chip."""

LOADED = ("rom", "main_ram")
"""Memories that the bitstream fills."""
