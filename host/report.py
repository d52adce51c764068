"""Reports: what a run took, as JSON, CSV and a table. A field that a backend cannot know is null."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from host.layers import Layer
from host.runner import LayerResult, Machine
from hw.verilog import version


def lower_bound_bytes(layer: Layer, on_chip_bytes: int) -> int:
    """Least DRAM traffic of a layer, by Chen et al. (HPCA 2020): any order of work, S bytes on chip.

    The larger of compulsory traffic (everything once) and 2 * MACs / sqrt(R * S) plus the outputs, where R is how
    often neighbouring windows reuse an input: taps over strides, 9 for a 3x3 convolution. Of a layer that
    pools, the pooled outputs count.
    """
    shape = layer.shape
    reuse = max(1.0, shape.kernel[0] * shape.kernel[1] / (shape.stride[0] * shape.stride[1]))
    compulsory = shape.input_bytes + shape.weight_bytes + layer.output_bytes
    return max(compulsory, math.ceil(2 * shape.macs / math.sqrt(reuse * on_chip_bytes)) + layer.output_bytes)


@dataclass(frozen=True)
class Report:
    """The layers that ran, and under what conditions; ``images`` is 0 if they are not a whole network."""

    network: str
    machine: Machine
    results: Sequence[LayerResult]
    images: int
    wall_seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The report's JSON object."""
        machine = self.machine
        return {
            "wingrid": version(),
            "network": self.network,
            "backend": machine.backend,
            "config": machine.config.as_dict(),
            "memory": {"latency": machine.timing.latency, "bytes_per_cycle": machine.timing.bytes_per_cycle},
            "layers": [self._layer(result) for result in self.results],
            "total": self._total(),
        }

    def as_json(self) -> str:
        return json.dumps(self.as_dict(), indent=2) + "\n"

    def as_csv(self) -> str:
        """A line per layer; stalls and bytes have a column for each of their names."""
        rows = []
        for layer in self.as_dict()["layers"]:
            row = {}
            for key, value in layer.items():
                if isinstance(value, dict):
                    row.update({f"{key}.{name}": number for name, number in value.items()})
                else:
                    row[key] = value
            rows.append(row)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def as_table(self) -> Table:
        """The same for people."""
        conditions = (
            f"{self.machine.config.rows}x{self.machine.config.cols}, latency {self.machine.timing.latency}, "
            f"{self.machine.timing.bytes_per_cycle} bytes/cycle"
        )
        table = Table(title=f"{self.network} on {self.machine.backend} ({conditions})")
        table.add_column("layer")
        for name in ("algorithm", "MMACs", "cycles", "MACs/mult./cycle"):
            table.add_column(name, justify="right")
        classes = [name for result in self.results if result.measurement for name in result.measurement.bytes]
        classes = list(dict.fromkeys(classes))
        for name in classes:
            table.add_column(f"{name} kB", justify="right")
        table.add_column("exact")
        report = self.as_dict()
        for layer in report["layers"]:
            table.add_row(*_cells(layer["name"], layer, classes), {True: "yes", False: "NO", None: "-"}[layer["exact"]])
        table.add_section()
        table.add_row(*_cells("total", {**report["total"], "algorithm": " "}, classes), "")
        return table

    def _layer(self, result: LayerResult) -> dict[str, Any]:
        layer, measurement = result.layer, result.measurement
        return {
            "name": layer.name,
            "operator": layer.operator,
            "pool": str(layer.pool) if layer.pool else None,
            "algorithm": result.algorithm,
            "macs": layer.shape.macs,
            "cycles": measurement.cycles if measurement else None,
            "macs_per_multiplier_cycle": self._efficiency(layer.shape.macs, measurement.cycles if measurement else 0),
            "busy": measurement.busy if measurement else None,
            "stalls": dict(measurement.stalls) if measurement else None,
            "bytes": dict(measurement.bytes) if measurement else None,
            "exact": result.exact,
            "timing_equal": None,
        }

    def _total(self) -> dict[str, Any]:
        layers: list[Layer] = [result.layer for result in self.results]
        macs = sum(layer.shape.macs for layer in layers)
        total: dict[str, Any] = {
            "macs": macs,
            "cycles": None,
            "macs_per_multiplier_cycle": None,
            "bytes": None,
            "dram_bytes": None,
            "lower_bound_bytes": sum(lower_bound_bytes(layer, self.machine.config.on_chip_bytes) for layer in layers),
            "images_per_second": None,
            "rtl_cycles_per_second": None,
            "wall_seconds": round(self.wall_seconds, 3),
        }
        measurements = [result.measurement for result in self.results if result.measurement]
        if len(measurements) == len(self.results):
            cycles = sum(measurement.cycles for measurement in measurements)
            names = measurements[0].bytes
            by_class = {name: sum(measurement.bytes[name] for measurement in measurements) for name in names}
            seconds = sum(result.seconds for result in self.results)
            total["cycles"] = cycles
            total["macs_per_multiplier_cycle"] = self._efficiency(macs, cycles)
            total["bytes"] = by_class
            total["dram_bytes"] = sum(by_class.values())
            if self.images:
                total["images_per_second"] = round(self.images * self.machine.clock_mhz * 1e6 / cycles, 3)
            total["rtl_cycles_per_second"] = round(cycles / seconds) if seconds else None
        return total

    def _efficiency(self, macs: int, cycles: int) -> float | None:
        return round(macs / (self.machine.config.multipliers * cycles), 4) if cycles else None


def _cells(name: str, entry: dict[str, Any], classes: list[str]) -> list[str]:
    efficiency = entry["macs_per_multiplier_cycle"]
    return [
        name,
        entry["algorithm"] or "-",
        f"{entry['macs'] / 1e6:.1f}",
        "-" if entry["cycles"] is None else f"{entry['cycles']:,}",
        "-" if efficiency is None else f"{efficiency:.3f}",
        *(f"{entry['bytes'][traffic] / 1000:.1f}" for traffic in classes),
    ]
