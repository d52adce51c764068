"""Integers with which the accelerator adds or multiplies tensors as ONNX Runtime does, proven on all pairs of bytes.

ONNX Runtime computes in floating point. Factors and an offset are sought with which ``wingrid.sim.golden.combination``
gives its result for all 65,536 pairs, however they lie in a tensor. Where there are none, the node is the host's.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper

from wingrid.host.networks.layer import Combination
from wingrid.host.onnx_models.concatenation import BYTES
from wingrid.host.onnx_models.graph import as_type, signed
from wingrid.host.onnx_models.session import compute, model_of, open_session
from wingrid.hw.isa import ADDITION_FRACTION_BITS, FACTOR_BITS, PRODUCT_FRACTION_BITS, Combining
from wingrid.sim.cache import cached, key
from wingrid.sim.golden.combination import FRACTION_BITS, combined, total

Pairs = npt.NDArray[np.int64]
"""A number for each pair of bytes [256, 256], from the lowest byte of each tensor on."""

ORDERED = np.sort(BYTES)

KINDS = {"QLinearAdd": Combining.SUM, "QLinearMul": Combining.PRODUCT}
"""Operators that combine two tensors."""

RUNS = (3, 67)
"""Elements that ONNX Runtime is made to combine at a time: fewer than any processor's instructions take, and as many as
leave some over."""

NEIGHBOURS = {
    Combining.SUM: tuple(itertools.product(range(-2, 3), repeat=2)),
    Combining.PRODUCT: tuple((step, 0) for step in range(-2, 3)),
}
"""Steps of both factors to where a better pair is looked for; of a product the second means nothing."""

STEPS = 16
"""After so many the factors are further from what arithmetic says than rounding to 24 bits explains."""

BEYOND = 1 << 62
"""More than any sum."""


@dataclass(frozen=True)
class QuantisedCombination:
    """Scales and zero points, as int8, of two tensors and of their sum or product, in the model's type of bytes."""

    kind: Combining
    scales: tuple[float, float, float]
    zero_points: tuple[int, int, int]
    dtype: np.dtype

    @classmethod
    def of(cls, node: onnx.NodeProto, constants: Mapping[str, npt.NDArray]) -> QuantisedCombination | None:
        """The numbers of a node of ``KINDS``; ``None`` if some are no constants, or one for each channel."""
        names = [*node.input, ""][:8]
        scales = [constants.get(names[place]) for place in (1, 4, 6)]
        zeros = [constants.get(names[place]) for place in (2, 5, 7)]
        if any(number is None or number.size != 1 for number in (*scales, *zeros)):
            return None
        first, second, both = (float(scale.reshape(())) for scale in scales if scale is not None)
        zero_points = [int(signed(zero.reshape(1))[0]) for zero in zeros if zero is not None]
        dtypes = {zero.dtype for zero in zeros if zero is not None}
        if len(dtypes) > 1:
            return None
        points = zero_points[0], zero_points[1], zero_points[2]
        return cls(KINDS[node.op_type], (first, second, both), points, dtypes.pop())

    def proven(self, node: onnx.NodeProto, like: onnx.ModelProto) -> Combination | None:
        """The integers, from the cache if they were found before; ``None`` if there are none.

        The first tensor is the layer's result, the second one the addend; a product's are proven for broadcast tensors,
        too. ``node`` is one with these numbers, which runs under the operator versions of ``like``.
        """
        form = FACTOR_BITS, ADDITION_FRACTION_BITS, PRODUCT_FRACTION_BITS, self.kind.name
        question = (onnxruntime.__version__, *form, *map(float.hex, self.scales), *self.zero_points, self.dtype.name)

        def ask(folder: Path) -> Path:
            answers = self._asked(node, like)
            found = None if answers is None else self._fitting(answers)
            answer = folder / "combination"
            answer.write_text(json.dumps(found and found.numbers))
            return answer

        numbers = json.loads(cached(f"sums and products/{key(*map(str, question))}", ask).read_text())
        return Combination(self.kind, **numbers) if numbers else None

    def _asked(self, node: onnx.NodeProto, like: onnx.ModelProto) -> npt.NDArray[np.int8] | None:
        """What ONNX Runtime makes of each pair of bytes, int8 [256, 256]; ``None`` if it depends on where they lie."""
        alone, constants = self._alone(node)
        kind = helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(self.dtype), [None] * 3)
        model = model_of([alone], {"a": kind, "b": kind}, constants, ["both"], like)
        session = open_session(model)
        known: npt.NDArray[np.int16] = np.full((256, 256), BEYOND >> 48, np.int16)
        for a, b in self._arrangements():
            inputs = {name: as_type(values, self.dtype) for name, values in (("a", a), ("b", b))}
            found = signed(compute(session, inputs)["both"])
            first, second = (np.broadcast_to(values, found.shape).astype(np.intp) + 128 for values in (a, b))
            new = known.copy()
            new[first, second] = found
            told = (known == BEYOND >> 48) | (new == known)
            if not told.all() or not (new[first, second] == found).all():
                return None
            known = new
        assert (known != BEYOND >> 48).all(), "every pair was asked for"
        return known.astype(np.int8)

    def _arrangements(self) -> Iterator[tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]]:
        """Pairs of tensors whose elements' pairs are all there are: two long ones, and ones that broadcast in runs.

        Of a product either tensor may have one byte for many of the other's.
        """
        first, second = np.repeat(ORDERED, 256), np.tile(ORDERED, 256)
        yield first.reshape(1, 1, -1), second.reshape(1, 1, -1)
        if self.kind is Combining.PRODUCT:
            each = ORDERED[:, None, None]
            for long in (ORDERED[None, None], *(np.resize(ORDERED, (1, -(-256 // run), run)) for run in RUNS)):
                yield each, long.reshape(1, -1, long.shape[-1])
                yield long.reshape(1, -1, long.shape[-1]), each
        for run in RUNS:
            rows = np.resize(ORDERED, (-(-256 // run), run))
            for turn in range(run):
                yield rows[None], np.roll(rows, turn, axis=1)[:, None]

    def _alone(self, node: onnx.NodeProto) -> tuple[onnx.NodeProto, dict[str, npt.NDArray]]:
        alone = onnx.NodeProto()
        alone.CopyFrom(node)
        constants: dict[str, npt.NDArray] = {}
        for number, (scale, zero_point) in enumerate(zip(self.scales, self.zero_points, strict=True)):
            constants[f"scale {number}"] = np.array(scale, np.float32)
            constants[f"zero point {number}"] = as_type(np.array(zero_point, np.int8), self.dtype)
        names = list(constants)
        del alone.input[:]
        alone.input.extend(["a", *names[:2], "b", *names[2:]])
        alone.output[0] = "both"
        return alone, constants

    def _fitting(self, answers: npt.NDArray[np.int8]) -> Combination | None:
        """Integers with these answers for all pairs.

        How far apart the least and the largest offset are with which all answers come out is a concave function of the
        factors, negative where there is none: so it is followed upwards, from where arithmetic says that it is high.
        """
        low, high = self._limits(answers)
        widest = (1 << FACTOR_BITS - 1) - 1
        factors = self._ideal_factors()
        if max(factors) > widest:
            return None
        room = self._offsets(factors, low, high)
        for _ in range(STEPS):
            if room[0] <= room[1]:
                break
            steps = [(factors[0] + first, factors[1] + second) for first, second in NEIGHBOURS[self.kind]]
            rooms = {step: self._offsets(step, low, high) for step in steps}
            best = max(steps, key=lambda step: rooms[step][1] - rooms[step][0])
            if rooms[best][1] - rooms[best][0] <= room[1] - room[0]:
                return None
            factors, room = best, rooms[best]
        if room[0] > room[1] or max(factors) > widest:
            return None
        offset = min(max(self._zero_offset(factors), room[0]), room[1])
        if not -(1 << 31) <= offset < 1 << 31:
            return None
        found = Combination(self.kind, *factors, offset, *self._zeros)
        exact = np.array_equal(combined(self.kind, ORDERED[:, None], ORDERED, **found.numbers), answers)
        return found if exact else None

    def _ideal_factors(self) -> tuple[int, int]:
        first, second, both = self.scales
        if self.kind is Combining.PRODUCT:
            return round(first * second / both * (1 << PRODUCT_FRACTION_BITS)), 0
        one = 1 << ADDITION_FRACTION_BITS
        return round(first / both * one), round(second / both * one)

    @property
    def _zeros(self) -> tuple[int, int]:
        """Zero points that a product's terms lose; a sum has them in its offset."""
        return self.zero_points[:2] if self.kind is Combining.PRODUCT else (0, 0)

    def _limits(self, answers: npt.NDArray[np.int8]) -> tuple[Pairs, Pairs]:
        """The least and the largest total that becomes each answer."""
        bits = FRACTION_BITS[self.kind]
        half = 1 << bits - 1
        wanted = answers.astype(np.int64)
        # Ties are even answers'.
        odd = wanted & 1
        middle = wanted << bits
        low = np.where(wanted == -128, -BEYOND, middle - half + odd)
        high = np.where(wanted == 127, BEYOND, middle + half - odd)
        return low, high

    def _offsets(self, factors: tuple[int, int], low: Pairs, high: Pairs) -> tuple[int, int]:
        """The least and the largest offset with which all totals are within their limits; crossed if there is none."""
        totals = total(self.kind, ORDERED[:, None], ORDERED, *factors, *self._zeros)
        finer = FRACTION_BITS[self.kind] - ADDITION_FRACTION_BITS
        return -(-int((low - totals).max()) >> finer), int((high - totals).min()) >> finer

    def _zero_offset(self, factors: tuple[int, int]) -> int:
        """The offset that zero points alone make."""
        first, second, both = self.zero_points
        offset = both << ADDITION_FRACTION_BITS
        return offset if self.kind is Combining.PRODUCT else offset - factors[0] * first - factors[1] * second
