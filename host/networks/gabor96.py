"""A bank of 96 Gabor filters, 11x11 over three colours at stride 4: what the first layer of AlexNet learns, by formula.

The filters are those of J. G. Daugman (Journal of the Optical Society of America A 2(7), 1985): a wave under a
Gaussian window. Eight orientations, three wavelengths, and of each an even and an odd wave of grey, a wave of red
against green, and one of blue against yellow; 8 x 3 x 4 = 96. Krizhevsky et al. (NIPS 2012, figure 3) show the 96 that
training finds.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from wingrid.host.networks.layer import Layer, Operands
from wingrid.host.networks.network import Convolve, Network

SIDE = 11
"""Pixels."""

ORIENTATIONS = 8
"""Over half a turn."""

WAVELENGTHS = (3.0, 4.5, 7.0)
"""Pixels."""

WAVES = (
    ((1.0, 1.0, 1.0), 0.0),
    ((1.0, 1.0, 1.0), math.pi / 2),
    ((1.0, -1.0, 0.0), 0.0),
    ((-0.5, -0.5, 1.0), 0.0),
)
"""The share of red, green and blue in each wave, and its phase in the middle of the window."""

SPREAD = 0.45
"""Standard deviation of the window, in wavelengths."""

ASPECT = 0.7
"""By how much the window is narrower across the wave's direction than along it: below 1, it is longer."""

CONTRAST = 0.5
"""Of a wave like the filter's own, between black and white, at which its response is full scale: pictures have less."""


def gabor_filters() -> npt.NDArray[np.int8]:
    """The bank, int8 [96, 3, 11, 11]: each filter adds up to about zero, and its largest element is 127."""
    filters = [
        _filter(math.pi * turn / ORIENTATIONS, wavelength, colours, phase)
        for colours, phase in WAVES
        for wavelength in WAVELENGTHS
        for turn in range(ORIENTATIONS)
    ]
    return np.stack([np.rint(values / np.abs(values).max() * 127).astype(np.int8) for values in filters])


def _filter(angle: float, wavelength: float, colours: tuple[float, ...], phase: float) -> npt.NDArray[np.float64]:
    down, right = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    along = right * math.cos(angle) + down * math.sin(angle)
    across = down * math.cos(angle) - right * math.sin(angle)
    spread = SPREAD * wavelength
    window = np.exp(-(along**2 + (ASPECT * across) ** 2) / (2 * spread**2))
    wave = window * np.cos(2 * math.pi * along / wavelength + phase)
    # Less its mean under the window: what is evenly bright leaves nothing.
    wave -= window * (wave.sum() / window.sum())
    return np.multiply.outer(np.array(colours), wave)


def gabor_operands(layer: Layer) -> Operands:
    """The filters as the weights of the layer, without bias; a response of zero is the int8 zero.

    A wave that is a filter's own sign at every pixel, with ``CONTRAST`` of what an int8 can say, leaves 127.
    """
    weights = gabor_filters()
    answers = CONTRAST * 127 * np.abs(weights.astype(np.int64)).sum(axis=(1, 2, 3))
    return Operands(weights, np.zeros(len(weights), np.int32), (127 / answers).astype(np.float32))


GABOR96 = Network(
    "gabor96",
    "96 Gabor filters after Daugman 1985, in the place of AlexNet's first layer",
    3,
    227,
    227,
    (Convolve("gabor", len(WAVES) * len(WAVELENGTHS) * ORIENTATIONS, kernel=SIDE, stride=4),),
    gabor_operands,
    "Gabor functions",
)
