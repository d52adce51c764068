"""Scales with which the accelerator rounds every sum to the byte that ONNX Runtime's QuantizeLinear makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.onnx_models.graph import signed
from wingrid.host.onnx_models.session import compute, model_of, open_session, type_of
from wingrid.sim.golden.requantise import requantise

ULPS = 4
"""Neighbours, to either side, of the scale that arithmetic suggests."""

MARGIN = 8
"""Sums to either side of where the result changes: more than ``ULPS`` of a scale can move that by, for sums of 24
bits."""

ORDERS = (slice(None), slice(None, None, -1), slice(3, None))
"""In which sums are asked about, so that each meets other instructions of a kernel."""


def neighbours(scale: np.float32) -> Iterator[np.float32]:
    """The scale, and float32 numbers around it, the nearest first."""
    yield scale
    below = above = scale
    for _ in range(ULPS):
        below, above = np.nextafter(below, np.float32(0)), np.nextafter(above, np.float32(np.inf))
        yield below
        yield above


def rounding_scale(
    node: onnx.NodeProto, unit: float, largest: int, constants: Mapping[str, npt.NDArray], model: onnx.ModelProto
) -> np.float32 | None:
    """The scale for sums from ``-largest`` to ``largest``, each of which stands for that many times ``unit``.

    ``node`` is a QuantizeLinear of ``model`` with one constant scale; float32 holds all of these numbers. Both ways to
    round never fall as sums grow, so that they are equal if they are about each place where the result changes, and no
    place is elsewhere. ``None`` if there is no such scale. Raises ``ModelRefused``.
    """
    scale, zero = constants[node.input[1]].reshape(()), constants[node.input[2]].reshape(1)
    zero_point = int(signed(zero)[0])
    middle = np.float32(unit / float(scale))
    sums = _about_changes(middle, largest, zero_point)
    answers = _asked(node, (sums * unit).astype(np.float32), constants, model)
    if answers is None or (np.diff(answers.astype(np.int16))[np.diff(sums) > 1] != 0).any():
        return None
    for candidate in neighbours(middle):
        if np.array_equal(_rounded(sums, candidate, zero_point), answers):
            return candidate
    return None


def _rounded(sums: npt.NDArray[np.int64], scale: np.float32, zero_point: int) -> npt.NDArray[np.int8]:
    return requantise(sums[None], np.full(1, scale, np.float32), zero_point=zero_point)[0]


def _about_changes(scale: np.float32, largest: int, zero_point: int) -> npt.NDArray[np.int64]:
    """The sums at either end, and those next to where the result becomes another one, in order."""
    results = np.arange(-128, 127)
    low, high = np.full(len(results), -largest), np.full(len(results), largest)
    while (low < high).any():
        middle = (low + high) // 2
        beyond = _rounded(middle, scale, zero_point) > results
        low, high = np.where(beyond, low, middle + 1), np.where(beyond, middle, high)
        low = np.minimum(low, high)
    near = low[:, None] + np.arange(-MARGIN, MARGIN + 1)
    return np.unique(np.clip(np.append(near, [-largest, largest]), -largest, largest))


def _asked(
    node: onnx.NodeProto, values: npt.NDArray[np.float32], constants: Mapping[str, npt.NDArray], model: onnx.ModelProto
) -> npt.NDArray[np.int8] | None:
    """What ONNX Runtime makes of the values; ``None`` if that depends on where they stand."""
    source, target = node.input[0], node.output[0]
    kind = type_of(source, values)
    kind.tensor_type.shape.dim[0].dim_param = "sums"
    session = open_session(model_of([node], {source: kind}, constants, [target], model))
    answers = [signed(compute(session, {source: np.ascontiguousarray(values[order])})[target]) for order in ORDERS]
    agree = all(np.array_equal(answers[0][order], answer) for order, answer in zip(ORDERS, answers, strict=True))
    return answers[0] if agree else None
