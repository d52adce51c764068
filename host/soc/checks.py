"""What is wrong with a run of a SoC."""

from __future__ import annotations


class SocDiffers(Exception):
    """A sample did not come out as it must; a line for each."""
