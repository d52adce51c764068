"""The ranges that activations take, by ONNX Runtime's calibrators, with one sample at a time in memory."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from wingrid.host.errors import UserError
from wingrid.host.execution.listener import Listener
from wingrid.host.onnx_models.exact_products import input_bits
from wingrid.host.onnx_models.inputs import Values
from wingrid.host.onnx_models.short_scales import SIGNIFICANT_BITS, with_short_scale

METHODS = ("minmax", "entropy", "percentile")

AVERAGING = ("AveragePool", "GlobalAveragePool", "ReduceMean")
"""Operators whose results are exact if their input has a short scale."""

BINS = {"entropy": 512, "percentile": 2048}
"""Of a histogram. ONNX Runtime's own default for entropy, 128, leaves nothing to choose: it merges into as many."""


@dataclass(frozen=True)
class Method:
    """How a range follows from what was seen."""

    name: str = "minmax"
    """All of it (``minmax``), what keeps most information (``entropy``), or all but the extremes (``percentile``)."""
    percentile: float = 99.99
    """Of the values, in per cent, half of the rest being cut off at either end."""

    def __post_init__(self) -> None:
        if self.name not in METHODS:
            raise UserError(f"--method {self.name} is none of {', '.join(METHODS)}")
        if not 50 < self.percentile <= 100:
            raise UserError(f"--percentile {self.percentile:g} must lie above 50, and at most at 100")

    @property
    def passes(self) -> int:
        """How often each sample is read: histograms want to know their bounds first."""
        return 1 if self.name == "minmax" else 2


@dataclass(frozen=True)
class Ranges:
    """What activations take, for the quantiser to read."""

    tensors: Any
    """``onnxruntime.quantization.calibrate.TensorsData``."""
    unbounded: Sequence[str]
    """Tensors in which there were infinities, or what is no number; they have no range."""
    bits: Mapping[str, int]
    """Significant bits that scales of some may have, which are fewer than all others'."""


def calibrated(
    path: Path, names: Mapping[str, str], feeds: Iterable[Values], method: Method, listener: Listener
) -> Ranges:
    """Ranges of all tensors that could be quantised in the model of a file; more files are put beside it.

    ``names`` says what the model calls its inputs.
    """
    # Imported here: it takes a second.
    from onnxruntime.quantization import CalibrationMethod, create_calibrator
    from onnxruntime.quantization.calibrate import HistogramCollector, TensorsData
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    def calibrator(kind: CalibrationMethod, **options: object) -> Any:  # noqa: ANN401 (its classes have no types)
        operators = sorted({*QLinearOpsRegistry, *QDQRegistry})
        beside = str(path.with_name(f"{kind.name}.onnx"))
        return create_calibrator(path, operators, beside, kind, extra_options={"symmetric": False, **options})

    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it is at
        seen = _collected(calibrator(CalibrationMethod.MinMax), feeds, names, "ranges", listener)
        bounds = {name: (np.min(found.lowest), np.max(found.highest)) for name, found in seen.items()}
        unbounded = [name for name, ends in bounds.items() if not np.isfinite(ends).all()]
        if method.name == "minmax":
            found = seen
        else:
            bins, percentile = BINS[method.name], method.percentile
            kind = CalibrationMethod.Entropy if method.name == "entropy" else CalibrationMethod.Percentile
            histograms = calibrator(kind, num_bins=bins, percentile=percentile)
            histograms.tensors_to_calibrate.difference_update(unbounded)
            histograms.collector = HistogramCollector(method.name, False, bins, 128, percentile, "same")
            # With their bounds from the start they add up; those that grow would depend on the order of samples.
            for name in histograms.tensors_to_calibrate:
                least, most = bounds[name]
                largest = np.maximum(np.abs(least), np.abs(most))
                counts, edges = np.histogram(np.array([], largest.dtype), bins, range=(-largest, largest))
                histograms.collector.histogram_dict[name] = (counts, edges, least, most, largest)
            found = _collected(histograms, feeds, names, "histograms", listener)
        known = {name: data for name, data in found.items() if name not in unbounded}
        graph = onnx.load(path).graph
        bits = {name: count for name, count in input_bits(graph).items() if name in known}
        for name in known.keys() - (_only_added(graph) - bits.keys()):
            ends = known[name].lowest, known[name].highest
            known[name].lowest, known[name].highest = with_short_scale(*ends, bits.get(name, SIGNIFICANT_BITS))
        return Ranges(TensorsData(found.calibration_method, known), unbounded, bits)


def _only_added(graph: onnx.GraphProto) -> set[str]:
    """Tensors that take part in an addition and in no average.

    Ratios of short scales would put many of their sums at a tie, where ONNX Runtime's rounding errors decide, which no
    integers follow.
    """
    added = {name for node in graph.node if node.op_type in ("Add", "Sum") for name in node.input}
    return added - {name for node in graph.node if node.op_type in AVERAGING for name in node.input}


def _collected(
    calibrator: Any,  # noqa: ANN401 (as above)
    feeds: Iterable[Values],
    names: Mapping[str, str],
    what: str,
    listener: Listener,
) -> Any:  # noqa: ANN401 (as above)
    """What a calibrator finds, which would keep all tensors of all samples if it were given them at once."""
    for done, feed in enumerate(feeds, 1):
        calibrator.collect_data(_reader({names[name]: value for name, value in feed.items()}))
        listener.simulated(what, done)
    return calibrator.compute_data()


def _reader(feed: Values) -> Any:  # noqa: ANN401 (as above)
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._feeds = iter([feed])

        def get_next(self) -> Values | None:
            return next(self._feeds, None)

    return Reader()
