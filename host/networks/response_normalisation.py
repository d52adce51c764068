"""Local response normalisation: what AlexNet does between layers, and the host does for the accelerator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class ResponseNormalisation:
    """Krizhevsky et al. (NIPS 2012), section 3.3: a / (k + alpha * sum of squares over ``size`` channels)**beta.

    It needs a power of a real number for each element, which is why it is left to the host.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 2.0

    def apply(self, y: npt.NDArray[np.int8], zero_point: int) -> npt.NDArray[np.int8]:
        """int8 of the same shape [images, C, H, W] and zero point.

        A step of the input stands for 1, one of the output for k**-beta, what 1 becomes beside small neighbours; so
        no result is larger than what it came from, and none saturates. Rounded half to even.
        """
        values = y.astype(np.float64) - zero_point
        before, channels = self.size // 2, y.shape[1]
        margins = (before, self.size - 1 - before)
        squares = np.pad(np.square(values), ((0, 0), margins, (0, 0), (0, 0)))
        energy = sum(squares[:, offset : offset + channels] for offset in range(self.size))
        shrunk = values * (self.k / (self.k + self.alpha * energy)) ** self.beta
        return (np.rint(shrunk) + zero_point).astype(np.int8)
