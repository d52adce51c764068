"""Ranges of sums and products of two tensors, widened by as little as lets integers compute them.

ONNX Runtime adds and multiplies quantised tensors in floating point. Where a result comes close to a tie its rounding
errors decide, and for some scales no integers follow them (``wingrid.host.onnx_models.combination_proof``). With
another scale of the result, next to it, others do, or none. So it is with the sums of transposed convolutions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.onnx_models.calibrating import Ranges
from wingrid.host.onnx_models.combination_proof import QuantisedCombination
from wingrid.host.onnx_models.refusal import ModelRefused, NotAccelerable
from wingrid.host.onnx_models.session import as_it_runs
from wingrid.host.onnx_models.short_scales import with_short_scale
from wingrid.host.onnx_models.tensor_combination import combines
from wingrid.host.onnx_models.tensors import constants_of
from wingrid.host.onnx_models.transposed_convolutions import OPERATOR as TRANSPOSED
from wingrid.host.onnx_models.transposed_convolutions import FloatingProduct

ATTEMPTS = 8
"""To find scales, of all sums and products of a model together."""

WIDER = 1 + 2**-16
"""By what a range grows: its ends move by less than a two hundredth of a step."""


def results_without_integers(quantised: onnx.ModelProto) -> set[str]:
    """Tensors, as the model had them before, that no integers make, of two others or as sums, as ONNX Runtime does."""
    try:
        optimised = as_it_runs(quantised, int8_kernels=True)
    except ModelRefused:  # so will others
        return set()
    constants = constants_of(optimised)
    before = {node.output[0]: node.input[0] for node in quantised.graph.node if node.op_type == "QuantizeLinear"}
    found = set()
    for node in optimised.graph.node:
        numbers = QuantisedCombination.of(node, constants) if combines(node, constants) else None
        if numbers and node.output[0] in before and numbers.proven(node, optimised) is None:
            found.add(before[node.output[0]])
        elif node.op_type == TRANSPOSED and _has_no_scales(node, constants, optimised):
            found.add(node.output[0])
    return found


def _has_no_scales(node: onnx.NodeProto, constants: Mapping[str, npt.NDArray], model: onnx.ModelProto) -> bool:
    """Whether its sums are exact, and no scale rounds them as ONNX Runtime does."""
    try:
        return FloatingProduct.of(node, constants, model).scales(constants, model) is None
    except NotAccelerable:
        return False


def widen(ranges: Ranges, names: Iterable[str]) -> None:
    """Let these tensors' ranges reach a little further, zero included; to a scale of few bits where it must be one."""
    for name in names:
        if name in ranges.tensors:
            found = ranges.tensors[name]
            lowest, highest = (np.asarray(end * WIDER, end.dtype) for end in (found.lowest, found.highest))
            bits = ranges.bits.get(name)
            found.lowest, found.highest = with_short_scale(lowest, highest, bits) if bits else (lowest, highest)
