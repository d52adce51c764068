"""ONNX Runtime as the judge of an imported model's outputs: every bit of every output."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wingrid.host.execution.network_result import Judgement
from wingrid.host.onnx_models.graph import ImportedGraph
from wingrid.host.onnx_models.graph_walk import Values, onnxruntime_outputs


def difference(graph: ImportedGraph, x: npt.NDArray, outputs: Values) -> str | None:
    """Where the outputs differ in any bit from what ONNX Runtime computes; ``None`` if they do not."""
    for name, expected in onnxruntime_outputs(graph, x).items():
        got = outputs[name]
        if got.shape != expected.shape or got.dtype != expected.dtype:
            return (
                f"output {name} is {got.dtype} {list(got.shape)}, "
                f"ONNX Runtime's is {expected.dtype} {list(expected.shape)}"
            )
        wrong = bits(got) != bits(expected)
        if wrong.any():
            first = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
            return (
                f"output {name}: {int(wrong.sum())} of {wrong.size} elements differ from ONNX Runtime's, the first at "
                f"{[int(index) for index in first]}: {got[first]} in place of {expected[first]}"
            )
    return None


def bits(values: npt.NDArray) -> npt.NDArray:
    """The values' bits as unsigned integers: NaN equals itself, and 0.0 is not -0.0."""
    return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")


def judge(
    graph: ImportedGraph, x: npt.NDArray, outputs: dict[str, npt.NDArray], labels: npt.NDArray | None
) -> Judgement:
    """What ONNX Runtime says of the outputs, and how many images were classified as labelled."""
    where = difference(graph, x, outputs)
    if labels is None:
        return Judgement(where is None, where)
    classes = outputs[graph.outputs[0]].argmax(axis=1)
    return Judgement(where is None, where, len(labels), int(np.sum(classes == labels)))
