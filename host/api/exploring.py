"""Searches of whole spaces of accelerators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wingrid.host.api.conditions import Config, Setting, Shapes, as_texts, shapes_by_name
from wingrid.host.api.outcomes import frame_of, table_html
from wingrid.host.crews.cluster import HERE
from wingrid.host.exploration.asking import asked, search
from wingrid.host.exploration.output import front_table, require_place, write
from wingrid.host.exploration.picture import drawn
from wingrid.host.exploration.result import as_dict, rows
from wingrid.host.exploration.search import Found
from wingrid.host.exploration.words import summary
from wingrid.host.files import write_whole
from wingrid.host.reports.plot_format import require_plot_format

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Exploration:
    """What a search has found; in a notebook it shows its front as a table."""

    found: Found

    @property
    def front(self) -> list[dict[str, Any]]:
        """The points that no other is better than, by the first objective: figures, configuration, words."""
        return list(self.as_dict()["front"])

    @property
    def summary(self) -> list[str]:
        """How it was found, and that it is complete, in sentences."""
        return list(summary(self.found))

    def as_dict(self) -> dict[str, Any]:
        """The whole result, as ``wingrid explore --json`` writes it."""
        return as_dict(self.found)

    def frame(self) -> DataFrame:
        """A line per design that was timed; ``point`` numbers those of the front.

        Raises ``UserError`` without pandas (``pip install 'wingrid[notebook]'``).
        """
        return frame_of(rows(self.found), [])

    def plot(self, file: str | Path) -> None:
        """Draw the front into a .png or .svg file."""
        require_plot_format(Path(file))
        write_whole(Path(file), drawn(self.found, Path(file).suffix))

    def write(self, folder: str | Path) -> None:
        """All forms, as ``wingrid explore -o`` writes them."""
        require_place(Path(folder))
        write(self.found, Path(folder))

    def _repr_html_(self) -> str:
        return table_html(front_table(self.found))


def explore(
    networks: str | Sequence[str],
    target: str,
    *,
    objectives: Sequence[str] | None = None,
    limits: Mapping[str, float] | None = None,
    space: Mapping[str, Any] | str | Path | None = None,
    combination: str = "worst",
    scheduler: str | None = HERE,
    store: str | Path | None = None,
    clock: float | None = None,
    shape: Shapes = None,
    int8_kernels: bool = True,
    config: Config = None,
    says: Callable[[str], None] = lambda _: None,
    **settings: Setting,
) -> Exploration:
    """All the best accelerators for networks on a chip: bounds of the whole space, exact times of what they leave.

        explore("digits", "ulx3s", clock=50, space={"rows": [4, 8], "cols": "rows"}).frame()

    ``objectives`` and the keys of ``limits`` are measures: images-per-second, cycles, energy, traffic, area, lut, dsp,
    bram, buffers. ``space`` has choices in place of the usual ones, or is a TOML file of them. ``scheduler`` is
    ``"here"``, ``"local"`` for all cores (from a script under ``if __name__ == "__main__"``), or the address of a
    Dask scheduler; ``store`` a file in which exact times are kept, by default one in the cache folder. ``says`` hears
    what is being done. The other arguments are those of ``estimate``.

    Raises ``UserError`` or ``ConfigError``, one sentence each, for what cannot be.
    """
    question = asked(
        [networks] if isinstance(networks, str) else list(networks),
        target,
        objectives=None if objectives is None else ",".join(objectives),
        limits=",".join(f"{name}={value!r}" for name, value in (limits or {}).items()) or None,
        space=Path(space) if isinstance(space, str) else space,
        combination=combination,
        clock=clock,
        shapes=shapes_by_name(shape),
        int8_kernels=int8_kernels,
        config=Path(config) if isinstance(config, str) else config,
        settings=as_texts(settings),
    )
    return Exploration(search(question, scheduler, Path(store) if store is not None else None, says))
