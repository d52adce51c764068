"""Writes ``docs/fidelity.md``: published figures of other accelerators beside estimates of this one.

Run with: python -m tests.bench.fidelity
"""

from __future__ import annotations

from pathlib import Path

from wingrid.host.fidelity.comparison import compare
from wingrid.host.fidelity.output import page
from wingrid.host.fidelity.published import published

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "fidelity.md"


def text() -> str:
    """The page."""
    known = published().values()
    told = [other for other in known if other.comparable or other.feature_maps]
    return page(map(compare, told), [other for other in known if other not in told])


if __name__ == "__main__":
    DOCUMENT.write_text(text())
    print(f"wrote {DOCUMENT}")
