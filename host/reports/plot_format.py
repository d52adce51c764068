"""Files that pictures of figures can be drawn into."""

from __future__ import annotations

from pathlib import Path

from wingrid.host.errors import UserError

FORMATS = (".png", ".svg")


def require_plot_format(path: Path) -> None:
    """Raise ``UserError`` for a name that stands for no format."""
    if path.suffix not in FORMATS:
        raise UserError(f"cannot plot into {path}: its name must end in {' or '.join(FORMATS)}")
