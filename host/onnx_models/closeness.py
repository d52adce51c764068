"""How close the tensors of one model come to those of another, over all samples that both are run on."""

from __future__ import annotations

import math

import numpy as np

from wingrid.host.execution.quantisation_result import Closeness
from wingrid.host.onnx_models.session import Value


class ClosenessSums:
    """What closeness follows from, sample by sample."""

    def __init__(self) -> None:
        self._signal = self._noise = self._other = self._common = 0.0
        self._known, self._equal = True, True

    def add(self, expected: Value, found: Value) -> None:
        """Take in one sample's tensors. Places where one of them is infinite or no number do not count."""
        if not (isinstance(expected, np.ndarray) and isinstance(found, np.ndarray) and expected.shape == found.shape):
            self._known = self._equal = False
            return
        self._equal &= bool(np.array_equal(expected, found, equal_nan=expected.dtype.kind == "f"))
        if expected.dtype.kind != "f" or found.dtype.kind != "f":
            self._known = False
            return
        left, right = expected.astype(np.float64).ravel(), found.astype(np.float64).ravel()
        finite = np.isfinite(left) & np.isfinite(right)
        left, right = left[finite], right[finite]
        self._signal += float(left @ left)
        self._other += float(right @ right)
        self._common += float(left @ right)
        self._noise += float((left - right) @ (left - right))

    def closeness(self, name: str, operator: str) -> Closeness:
        """For a tensor that is called so."""
        norms = math.sqrt(self._signal) * math.sqrt(self._other)
        cosine = min(1.0, max(-1.0, self._common / norms)) if self._known and norms else None
        snr = 10 * math.log10(self._signal / self._noise) if self._known and self._signal and self._noise else None
        return Closeness(name, operator, snr, cosine, self._equal)
