"""``docs/fourier.md`` is what its command makes, and its counts are those of real transforms."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wingrid.host.networks.vgg16 import VGG16_CONVOLUTIONS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def fourier(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from tests.bench import fourier

    return fourier


def test_split_radix_has_its_published_counts(fourier: ModuleType) -> None:
    """Duhamel and Hollmann 1984; three real multiplications for a complex one."""
    published = {8: 4, 16: 20, 32: 68, 64: 196, 128: 516, 256: 1284}
    assert {points: fourier.complex_transform(points) for points in published} == published


@pytest.mark.parametrize("points", [8, 16, 32])
def test_half_a_spectrum_is_what_is_multiplied(points: int, fourier: ModuleType) -> None:
    """Of a real image's spectrum, values that no other one determines: four are real."""
    spectrum = np.fft.fft2(np.random.default_rng(points).normal(size=(points, points)))
    down, across = np.indices(spectrum.shape)
    partner = spectrum[-down % points, -across % points]
    assert np.allclose(spectrum, np.conj(partner))
    real = int(((-down % points == down) & (-across % points == across)).sum())
    assert real == 4
    assert fourier.spectral_product(points) == real + 3 * (points**2 - real) // 2


def test_counts_of_a_layer_by_hand(fourier: ModuleType) -> None:
    """conv4_2: 28x28 outputs of 512 kernels over 512 channels; 2x2 tiles of 14x14 outputs with 16 points."""
    shape = next(layer.shape for layer in VGG16_CONVOLUTIONS.layers() if layer.name == "conv4_2")
    assert fourier.direct_multiplications(shape) == 28 * 28 * 512 * 512 * 9
    assert fourier.winograd_multiplications(shape, 4) == 7 * 7 * 36 * 512 * 512
    assert fourier.fourier_multiplications(shape, 16) == (4 * 382 * 512 * 512, 4 * 340 * 1024)


def test_guaranteed_widths_are_no_less_than_measured_ones(fourier: ModuleType) -> None:
    """And golden's transforms find the integers, which ``measured_bits`` asserts."""
    for layer in VGG16_CONVOLUTIONS.layers()[:3:2]:
        assert fourier.measured_bits(layer.shape, 8) <= fourier.guaranteed_bits(layer.shape, 8) < 53


def test_the_page_is_what_its_command_makes(fourier: ModuleType) -> None:
    """But for what was measured in float32, which may differ by a bit on another processor."""
    page = fourier.DOCUMENT.read_text()
    for rows in (
        fourier.multiplication_rows(),
        fourier.bit_product_rows(),
        fourier.width_rows(),
        fourier.memory_rows(),
    ):
        for row in rows:
            assert f"| {' | '.join(row)} |\n" in page
