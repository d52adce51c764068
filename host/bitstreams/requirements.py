"""What a bitstream asks of its user: the board, the tools, and an accelerator for LiteX's bus."""

from __future__ import annotations

from collections.abc import Sequence

from wingrid.host.bitstreams import ulx3s
from wingrid.host.bitstreams.write_bitstream import MEMORY
from wingrid.host.errors import UserError
from wingrid.host.silicon.board import Board
from wingrid.host.soc.firmware import require_compiler
from wingrid.host.soc.hardware import require_litex, require_soc
from wingrid.host.soc.layout import BUS_BYTES
from wingrid.hw.config import AcceleratorConfig

FIELDS = tuple(f"{name}={BUS_BYTES}" for name in ("rows", "cols", "bus_bytes"))
"""The largest array on LiteX's bus, where nothing else is said."""

MHZ = ulx3s.HERTZ / 1e6
"""The clock of everything on the chip."""


def require_board(board: Board | None, target: str) -> None:
    """Raise ``UserError`` for another board than that of bitstreams, ``ToolMissing`` for a tool that is not there."""
    if board is None or board.name != ulx3s.NAME:
        raise UserError(f"--bitstream is for the board {ulx3s.NAME}, not for {target}")
    require_litex()
    require_compiler()


def require_bus(config: AcceleratorConfig) -> None:
    """Raise ``UserError`` for an accelerator that LiteX's bus cannot take."""
    require_soc(config, MEMORY)


def with_fields(settings: Sequence[str]) -> list[str]:
    """Settings of a configuration, after those that a bitstream needs unless they are set."""
    names = {setting.partition("=")[0].strip() for setting in settings}
    return [*(field for field in FIELDS if field.partition("=")[0] not in names), *settings]
