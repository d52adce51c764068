"""From a classifier's last layer to probabilities: the softmax that the host does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TOP = 5
"""How many classes are shown of each image."""


@dataclass(frozen=True)
class Guess:
    """A class, by its number, and its probability."""

    number: int
    probability: float


def softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """exp(x) over its sum, along the last axis; the largest is subtracted first, so that nothing overflows."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def likeliest(y: npt.NDArray[np.int8], step: float, count: int = TOP) -> list[list[Guess]]:
    """The ``count`` likeliest classes of each image, best first, the lower number first among equals.

    ``y`` is int8 [images, classes, 1, 1]; ``step`` is what one of its steps adds to a logit.
    """
    probabilities = softmax(y.reshape(len(y), -1).astype(np.float64) * step)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
    return [
        [Guess(int(number), float(row[number])) for number in numbers]
        for row, numbers in zip(probabilities, order, strict=True)
    ]
