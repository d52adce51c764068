"""ONNX Runtime as the judge of an imported model's outputs: every bit of every output."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from wingrid.host.execution.network_result import Judgement
from wingrid.host.onnx_models.graph import ImportedGraph
from wingrid.host.onnx_models.graph_walk import Values, onnxruntime_outputs
from wingrid.host.onnx_models.session import Value


def difference(graph: ImportedGraph, inputs: Mapping[str, npt.NDArray], outputs: Values) -> str | None:
    """Where the outputs differ in any bit from what ONNX Runtime computes; ``None`` if they do not."""
    for name, expected in onnxruntime_outputs(graph, inputs).items():
        if where := output_difference(name, outputs[name], expected):
            return where
    return None


def output_difference(name: str, got: Value, expected: Value, whose: str = "ONNX Runtime's") -> str | None:
    """Where one output differs in any bit from what is expected, and ``whose`` that is; ``None`` if it does not."""
    if isinstance(expected, list):
        if not isinstance(got, list) or len(got) != len(expected):
            return f"output {name} is not the sequence of {len(expected)} that is {whose}"
        parts = (
            output_difference(f"{name}[{index}]", *pair, whose)
            for index, pair in enumerate(zip(got, expected, strict=True))
        )
        return next(filter(None, parts), None)
    if not isinstance(expected, np.ndarray):
        return None if got == expected else f"output {name} is {got}, {whose} is {expected}"
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return f"output {name} is {got.dtype} {list(got.shape)}, {whose} is {expected.dtype} {list(expected.shape)}"
    wrong = bits(got) != bits(expected)
    if not wrong.any():
        return None
    first = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    return (
        f"output {name}: {int(wrong.sum())} of {wrong.size} elements differ from {whose}, the first at "
        f"{[int(index) for index in first]}: {got[first]} in place of {expected[first]}"
    )


def bits(values: npt.NDArray) -> npt.NDArray:
    """The values' bits as unsigned integers: NaN equals itself, and 0.0 is not -0.0. Strings are as they are."""
    if values.dtype.kind in "OUS":
        return values
    return np.asarray(values, order="C").view(f"u{values.dtype.itemsize}")


def judge(
    graph: ImportedGraph, inputs: Mapping[str, npt.NDArray], outputs: Values, labels: npt.NDArray | None
) -> Judgement:
    """What ONNX Runtime says of the outputs, and how many images were classified as labelled."""
    where = difference(graph, inputs, outputs)
    if labels is None:
        return Judgement(where is None, where)
    classes = outputs[next(iter(graph.outputs))].argmax(axis=1)
    return Judgement(where is None, where, len(labels), int(np.sum(classes == labels)))
