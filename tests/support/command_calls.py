"""Calling the command line from tests."""

from __future__ import annotations

import pytest
from layer_cases import SQUARE

from wingrid.host.commands.app import main

ON_SQUARE = [f"--set={name}={value}" for name, value in vars(SQUARE).items() if name != "bus_bytes"]
"""Options for the small accelerator whose simulator the tests share."""


def call(*arguments: object) -> int:
    """The exit status."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code
