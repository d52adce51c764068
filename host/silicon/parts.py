"""The accelerator's parts: instances by their paths, and the files that describe them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

from amaranth.hdl import Fragment

import wingrid.hw as HARDWARE
from wingrid.hw.accelerator import Accelerator
from wingrid.hw.config import AcceleratorConfig

DEPTH = 3
"""Names in the path of the deepest part: core.output_path.requantiser."""


def parts(config: AcceleratorConfig) -> dict[str, str]:
    """The file of each instance, ``hw/store/store_engine.py`` of ``core.store``, to a depth of ``DEPTH`` names."""
    return dict(_parts(Fragment.get(Accelerator(config), None), ""))


def _parts(fragment: Fragment, path: str) -> Iterator[tuple[str, str]]:
    for inner, name, _ in fragment.subfragments:
        place = f"{path}.{name}" if path else str(name)
        if file := _file_of(inner):
            yield place, file
            if place.count(".") + 1 < DEPTH:
                yield from _parts(inner, place)


def _file_of(fragment: Fragment) -> str | None:
    """Where the component is written; ``None`` for memories and the like, which Amaranth makes."""
    for origin in fragment.origins or ():
        # What a transformer such as ResetInserter wraps is the component.
        component = type(getattr(origin, "_elaboratable_", origin))
        if component.__module__.startswith(HARDWARE.__name__):
            folder = Path(inspect.getfile(HARDWARE)).parent
            return str(Path("hw") / Path(inspect.getfile(component)).relative_to(folder))
    return None
