"""Reports: what a run took, as JSON and CSV. A field that a backend cannot know is null."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.networks.layer import Layer
from wingrid.host.reports.csv_text import csv_text
from wingrid.host.reports.efficiency import layer_limits, total_limits
from wingrid.host.reports.traffic import lower_bound_bytes
from wingrid.hw.version import version


@dataclass(frozen=True)
class Report:
    """The result of a run or an estimate, as JSON and CSV."""

    result: NetworkResult

    def as_dict(self) -> dict[str, Any]:
        """The report's JSON object."""
        result, setup = self.result, self.result.setup
        placement = result.placement
        return {
            "wingrid": version(),
            "network": result.network,
            "backend": setup.backend,
            "config": setup.config.as_dict(),
            "memory": dataclasses.asdict(setup.timing),
            "layers": [self._layer(layer) for layer in result.layers],
            "total": self._total(),
            "clock_mhz": setup.clock.mhz,
            "clock_origin": setup.clock.origin,
            "images": result.images or None,
            "weights": result.weights,
            "host_operations": self.host_operations(),
            "guesses": self._guesses(),
            "host": [dataclasses.asdict(work) for work in placement.host] if placement else [],
            "changes": list(placement.changes) if placement else [],
            "onnxruntime_equal": result.judgement.onnxruntime_equal if result.judgement else None,
            "accuracy": result.judgement.accuracy if result.judgement else None,
            "tensor_memory": dataclasses.asdict(result.tensor_memory) if result.tensor_memory else None,
        }

    def host_operations(self) -> list[dict[str, str]]:
        """What the host computes and the figures leave out: the operation and the layer before or after which."""
        operations = []
        for result in self.result.layers:
            if result.unfolded:
                down, right = result.unfolded
                operations.append({"operation": f"unfolding {down}x{right} taps", "before": result.layer.name})
            if result.sections:
                down, right = result.sections
                operations.append({"operation": f"cutting into {down}x{right} sections", "before": result.layer.name})
            if result.layer.normalisation:
                operations.append({"operation": "local response normalisation", "after": result.layer.name})
        if self.result.guesses:
            operations.append({"operation": "softmax", "after": self.result.layers[-1].layer.name})
        return operations

    def as_json(self) -> str:
        return as_json(self.as_dict())

    def as_csv(self) -> str:
        """A line per layer; stalls and bytes have a column for each of their names."""
        return csv_text([flat(layer) for layer in self.as_dict()["layers"]])

    def _layer(self, result: LayerResult) -> dict[str, Any]:
        layer, measurement = result.layer, result.measurement
        moved = measurement.dram_bytes if measurement else None
        bound = lower_bound_bytes(layer, self.result.setup.config.on_chip_bytes)
        return {
            "name": layer.name,
            "operator": layer.operator,
            "pool": str(layer.pool) if layer.pool else None,
            "algorithm": result.algorithm,
            "unfolded": list(result.unfolded) if result.unfolded else None,
            "sections": list(result.sections) if result.sections else None,
            "macs": layer.shape.macs,
            "cycles": measurement.cycles if measurement else None,
            "macs_per_multiplier_cycle": self._efficiency(layer.shape.macs, measurement.cycles if measurement else 0),
            "busy": measurement.busy if measurement else None,
            "stalls": dict(measurement.stalls) if measurement else None,
            "bytes": dict(measurement.bytes) if measurement else None,
            "dram_bytes": moved,
            "lower_bound_bytes": bound,
            "lower_bound_ratio": _ratio(moved, bound),
            **layer_limits(result, self.result.setup),
            "exact": result.exact,
            "timing_equal": result.timing_equal,
        }

    def _total(self) -> dict[str, Any]:
        layers: list[Layer] = [result.layer for result in self.result.layers]
        macs = sum(layer.shape.macs for layer in layers)
        on_chip = self.result.setup.config.on_chip_bytes
        total: dict[str, Any] = {
            "macs": macs,
            "cycles": None,
            "macs_per_multiplier_cycle": None,
            "busy": None,
            "stalls": None,
            "bytes": None,
            "dram_bytes": None,
            "lower_bound_bytes": sum(lower_bound_bytes(layer, on_chip) for layer in layers),
            "lower_bound_ratio": None,
            "images_per_second": None,
            "rtl_cycles_per_second": None,
            "wall_seconds": round(self.result.wall_seconds, 3),
            **total_limits(self.result.layers, self.result.setup, self.result.images),
            **self._placement(),
        }
        measurements = [result.measurement for result in self.result.layers if result.measurement]
        if measurements and len(measurements) == len(layers):
            cycles = sum(measurement.cycles for measurement in measurements)
            by_class = _sums([measurement.bytes for measurement in measurements])
            seconds = sum(result.seconds for result in self.result.layers)
            total["cycles"] = cycles
            total["macs_per_multiplier_cycle"] = self._efficiency(macs, cycles)
            total["busy"] = sum(measurement.busy for measurement in measurements)
            total["stalls"] = _sums([measurement.stalls for measurement in measurements])
            total["bytes"] = by_class
            total["dram_bytes"] = sum(by_class.values())
            total["lower_bound_ratio"] = _ratio(total["dram_bytes"], total["lower_bound_bytes"])
            if self.result.images and (mhz := self.result.setup.clock.mhz) is not None:
                total["images_per_second"] = round(self.result.images * mhz * 1e6 / cycles, 3)
            total["rtl_cycles_per_second"] = round(cycles / seconds) if seconds else None
        return total

    def _placement(self) -> dict[str, int | None]:
        """Where the work of an imported model is done."""
        placement = self.result.placement
        return {
            "macs_array": placement.macs_array if placement else None,
            "macs_host": placement.macs_host if placement else None,
            "segments": placement.segments if placement else None,
            "crossing_bytes": placement.crossing_bytes if placement else None,
        }

    def _guesses(self) -> list[list[dict[str, Any]]] | None:
        if self.result.guesses is None:
            return None
        return [
            [{"class": guess.number, "probability": round(guess.probability, 6)} for guess in image]
            for image in self.result.guesses
        ]

    def _efficiency(self, macs: int, cycles: int) -> float | None:
        return round(macs / (self.result.setup.config.multipliers * cycles), 4) if cycles else None


def as_json(entry: Any) -> str:  # noqa: ANN401 (whatever JSON can say)
    """JSON as reports write it."""
    return json.dumps(entry, indent=2) + "\n"


def flat(entry: dict[str, Any]) -> dict[str, Any]:
    """A report's entry as cells: each of an object's members has a column ``name.member``, a list is one text."""
    row: dict[str, Any] = {}
    for key, value in entry.items():
        if isinstance(value, dict):
            row.update({f"{key}.{name}": number for name, number in value.items()})
        elif isinstance(value, list):
            row[key] = "x".join(map(str, value))
        else:
            row[key] = value
    return row


def _sums(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    return {name: sum(count[name] for count in counts) for name in counts[0]}


def _ratio(moved: int | None, bound: int) -> float | None:
    return None if moved is None else round(moved / bound, 4)
