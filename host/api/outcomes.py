"""What the public functions return: reports that show themselves as tables, and the arrays that were computed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from wingrid.host.errors import UserError
from wingrid.host.estimates.plot import drawn
from wingrid.host.estimates.power import power, require_rate
from wingrid.host.estimates.sweep import Variant, total_rows
from wingrid.host.estimates.table import layer_table, variant_table
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.files import write_whole
from wingrid.host.reports.narrow_tables import least_width
from wingrid.host.reports.plot_format import require_plot_format
from wingrid.host.reports.report import Report, flat
from wingrid.host.reports.report_table import table

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Outcome:
    """The result of an estimate or a run; ``result`` holds it layer by layer."""

    result: NetworkResult

    @property
    def cycles(self) -> int | None:
        """Cycles of all layers together, from start to interrupt each; ``None`` for golden, which has no time."""
        return self.as_dict()["total"]["cycles"]

    def as_dict(self) -> dict[str, Any]:
        """The whole report, as in its JSON form."""
        return Report(self.result).as_dict()

    def as_json(self) -> str:
        """The whole report, as ``--json`` writes it."""
        return Report(self.result).as_json()

    def as_csv(self) -> str:
        """A line per layer, as ``--csv`` writes it."""
        return Report(self.result).as_csv()

    def frame(self) -> DataFrame:
        """A line per layer, indexed by name; columns are the fields of the report's layers.

        Raises ``UserError`` without pandas (``pip install 'wingrid[notebook]'``).
        """
        return frame_of([flat(layer) for layer in self.as_dict()["layers"]], ["name"])


@dataclass(frozen=True)
class Estimate(Outcome):
    """A network's report by the timing model; in a notebook it shows itself as a table."""

    def plot(self, file: str | Path) -> None:
        """Draw roofline, cycles and energy of each layer into a .png or .svg file."""
        require_plot_format(Path(file))
        write_whole(Path(file), drawn(Report(self.result), Path(file).suffix))

    def power(self, rate: float) -> dict[str, Any] | None:
        """Watts by part at so many images per second, as in JSON with ``--rate``; ``None`` of some layers only.

        Raises ``UserError`` for a rate that is no number above 0.
        """
        return power(Report(self.result), require_rate(rate))

    def _repr_html_(self) -> str:
        return table_html(layer_table(Report(self.result)))


@dataclass(frozen=True)
class Run(Outcome):
    """A network or a layer that was computed; in a notebook it shows itself as a table."""

    @property
    def output(self) -> npt.NDArray:
        """What was computed: int8 [images, channels, height, width] of a built-in network or a layer, or the first
        output of an ONNX model in its own type and shape. If only some layers ran, the output of the last of them.
        """
        return self.result.values

    @property
    def outputs(self) -> dict[str, npt.NDArray]:
        """All outputs of an ONNX model by name; of anything else the one output, by the name of its last layer."""
        return self.result.arrays()

    @property
    def failures(self) -> list[str]:
        """A sentence for each check that failed: layers against golden and timing model, ONNX models against ONNX
        Runtime.
        """
        return list(self.result.failures())

    def _repr_html_(self) -> str:
        return table_html(table(Report(self.result)))


@dataclass(frozen=True)
class Sweep:
    """The reports of several configurations; in a notebook they show themselves as a table."""

    variants: Sequence[Variant]

    def frame(self) -> DataFrame:
        """A line per configuration, indexed by the settings that vary; columns are the fields of the report's total.

        Raises ``UserError`` without pandas (``pip install 'wingrid[notebook]'``).
        """
        rows = [{name: _number(value) for name, value in row.items()} for row in total_rows(self.variants)]
        return frame_of(rows, list(self.variants[0].settings))

    def estimates(self) -> list[Estimate]:
        """An estimate for each configuration, in the order of the frame's lines."""
        return [Estimate(variant.report.result) for variant in self.variants]

    def _repr_html_(self) -> str:
        if len(self.variants) == 1:
            return table_html(layer_table(self.variants[0].report))
        return table_html(variant_table(self.variants))


def frame_of(rows: list[dict[str, Any]], index: list[str]) -> DataFrame:
    """Rows as a data frame, indexed by some of their columns. Raises ``UserError`` without pandas."""
    # Imported here: nothing else needs it.
    try:
        from pandas import DataFrame
    except ImportError:
        raise UserError("a data frame needs pandas; install it with: pip install 'wingrid[notebook]'") from None
    frame = DataFrame(rows)
    return frame.set_index(index) if index else frame


def _number(value: Any) -> Any:  # noqa: ANN401 (a cell of a table)
    """A setting is a text, ``algorithm=direct`` or ``rows=0x10``; a field's is a number."""
    if not isinstance(value, str):
        return value
    try:
        return int(value, 0)
    except ValueError:
        return value


def table_html(table: Table) -> str:
    """The table as a notebook shows it."""
    console = Console(record=True, file=io.StringIO(), width=max(140, least_width(table)), markup=False, emoji=False)
    console.print(table)
    return console.export_html(inline_styles=True, code_format='<pre style="line-height:normal">{code}</pre>')
