"""Estimates for notebooks and scripts.

    from host.api import estimate, sweep

    estimate("vgg16", rows=16).frame()                       # a line per layer
    sweep("vgg16", rows=[8, 16, 32], cols=[8, 16]).frame()   # a line per configuration

Both raise ``UserError`` or ``ConfigError``, with a sentence, for what cannot be.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from wingrid.host.errors import UserError
from wingrid.host.estimates.estimate import estimator
from wingrid.host.estimates.plot import drawn, require_plot_format
from wingrid.host.estimates.sweep import Variant, combinations, estimate_variants, total_rows
from wingrid.host.estimates.table import layer_table, variant_table
from wingrid.host.execution.setup import Setup
from wingrid.host.files import write_whole
from wingrid.host.reports.narrow_tables import least_width
from wingrid.host.reports.report import Report, flat
from wingrid.hw.config import AcceleratorConfig

if TYPE_CHECKING:
    from pandas import DataFrame

Setting = int | str | Iterable[int | str]


@dataclass(frozen=True)
class Estimate:
    """A network's report; in a notebook it shows itself as a table."""

    report: Report

    def frame(self) -> DataFrame:
        """A line per layer, indexed by name; columns are the fields of the report's layers."""
        return _frame([flat(layer) for layer in self.as_dict()["layers"]], ["name"])

    def as_dict(self) -> dict[str, Any]:
        """The whole report, as in its JSON form."""
        return self.report.as_dict()

    def plot(self, file: str | Path) -> None:
        """Draw roofline, cycles and energy of each layer into a .png or .svg file."""
        require_plot_format(Path(file))
        write_whole(Path(file), drawn(self.report, Path(file).suffix))

    def _repr_html_(self) -> str:
        return _html(layer_table(self.report))


@dataclass(frozen=True)
class Sweep:
    """The reports of several configurations; in a notebook they show themselves as a table."""

    variants: Sequence[Variant]

    def frame(self) -> DataFrame:
        """A line per configuration, indexed by the settings that vary; columns are the fields of the report's total."""
        return _frame(total_rows(self.variants), list(self.variants[0].settings))

    def estimates(self) -> list[Estimate]:
        """The configurations' own reports, in the order of the lines."""
        return [Estimate(variant.report) for variant in self.variants]

    def _repr_html_(self) -> str:
        if len(self.variants) == 1:
            return _html(layer_table(self.variants[0].report))
        return _html(variant_table(self.variants))


def estimate(
    network: str,
    *,
    config: AcceleratorConfig | Path | None = None,
    clock: float = 200.0,
    latency: int = 40,
    bytes_per_cycle: int | None = None,
    dram: bool = False,
    batch: int = 1,
    layers: Sequence[str] | None = None,
    assume_int8: bool = False,
    **settings: int | str,
) -> Estimate:
    """What a network takes on one configuration, by the timing model.

    ``config`` is a configuration, a TOML file, or ``None`` for the default one; ``settings`` are fields that
    differ from it, or ``algorithm``. ``clock`` is in MHz, ``latency`` in cycles, ``dram`` gives the
    memory rows and refresh. ``layers`` leaves others out; ``assume_int8`` takes a float ONNX model.
    """
    several = len(combinations(_texts(settings)))
    if several > 1:
        raise UserError(f"an estimate takes one configuration, not {several}: use sweep")
    swept = sweep(
        network,
        config=config,
        clock=clock,
        latency=latency,
        bytes_per_cycle=bytes_per_cycle,
        dram=dram,
        batch=batch,
        layers=layers,
        assume_int8=assume_int8,
        **settings,
    )
    return Estimate(swept.variants[0].report)


def sweep(
    network: str,
    *,
    config: AcceleratorConfig | Path | None = None,
    clock: float = 200.0,
    latency: int = 40,
    bytes_per_cycle: int | None = None,
    dram: bool = False,
    batch: int = 1,
    layers: Sequence[str] | None = None,
    assume_int8: bool = False,
    **settings: Setting,
) -> Sweep:
    """The same for every combination of settings, each of which may be a list of values."""
    if batch < 1:
        raise UserError(f"batch = {batch} must be at least 1")
    by_model = estimator(network, layers, batch, assume_int8=assume_int8)

    def describe(fields: list[str]) -> Setup:
        return Setup.from_options(
            "timing", config, fields, clock=clock, latency=latency, bytes_per_cycle=bytes_per_cycle, dram=dram
        )

    wanted = combinations(_texts(settings))
    return Sweep(estimate_variants(wanted, describe, lambda setup: by_model(setup, None)))


def _texts(settings: Mapping[str, Setting]) -> list[str]:
    """Settings as the command line takes them."""
    return [
        f"{name}={value if isinstance(value, int | str) else ','.join(map(str, value))}"
        for name, value in settings.items()
    ]


def _frame(rows: list[dict[str, Any]], index: list[str]) -> DataFrame:
    # Imported here: nothing else needs it.
    try:
        from pandas import DataFrame
    except ImportError:
        raise UserError("a data frame needs pandas; install it with: pip install 'wingrid[notebook]'") from None
    frame = DataFrame(rows)
    return frame.set_index(index) if index else frame


def _html(table: Table) -> str:
    console = Console(record=True, file=io.StringIO(), width=max(140, least_width(table)), markup=False, emoji=False)
    console.print(table)
    return console.export_html(inline_styles=True, code_format='<pre style="line-height:normal">{code}</pre>')
