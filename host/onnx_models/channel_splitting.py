"""Weights that leave int8, over repeated input channels.

A weight less its zero point lies in [-255, 255]. It is a sum of int8 weights that meet the same input: the channels in
which some weight is too large are repeated, and each copy takes a part of it. Sums stay the same to the last bit. This
is outlier channel splitting (Zhao et al., ICML 2019), here without its rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class SplitWeights:
    """int8 weights [K, C' // groups, ...], and the original channel behind each of the C' input channels."""

    weights: npt.NDArray[np.int8]
    channels: tuple[int, ...]

    @classmethod
    def of(cls, centred: npt.NDArray[np.int16], groups: int) -> SplitWeights:
        """Split weights [K, C // groups, ...] of a convolution with ``groups`` groups.

        Each group gets as many further channels as the one that needs most, so that groups stay equal.
        """
        kernels, width = centred.shape[:2]
        if centred.min() >= -128 and centred.max() <= 127:
            return cls(centred.astype(np.int8), tuple(range(groups * width)))
        rest = centred.reshape(groups, kernels // groups, width, *centred.shape[2:])
        origins = np.arange(groups * width).reshape(groups, width)
        parts, channels = [], []
        while True:
            part = np.clip(rest, -128, 127)
            parts.append(part.astype(np.int8))
            channels.append(origins)
            rest = rest - part
            missing = rest.any(axis=(1, *range(3, rest.ndim)))
            count = int(missing.sum(axis=1).max())
            if not count:
                break
            # The channels that are not done yet come first; in groups with fewer of them, others with weights of zero.
            chosen = np.argsort(~missing, axis=1, kind="stable")[:, :count]
            origins = np.take_along_axis(origins, chosen, axis=1)
            index = chosen.reshape(groups, 1, count, *[1] * (rest.ndim - 3))
            rest = np.take_along_axis(rest, index, axis=2)
        weights = np.concatenate(parts, axis=2).reshape(kernels, -1, *centred.shape[2:])
        return cls(weights, tuple(int(channel) for channel in np.concatenate(channels, axis=1).reshape(-1)))
