"""``docs/gpu.md`` is what its command makes: all that was measured, and as many estimates as are quick."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from tests.bench import gpu

    return gpu


def test_the_networks_are_torchvision_s(gpu: ModuleType) -> None:
    """Multiply-adds and weights as their papers and torchvision's documentation give them."""
    assert gpu.macs("vgg16") == 15_470_264_320
    assert gpu.macs("alexnet") == 714_188_480
    assert gpu.macs("resnet18") == 1_814_073_344
    # Of 11,689,512 parameters 9,600 are batch normalisation's, and 1,000 the classifier's biases.
    assert sum(layer.shape.weight_bytes for layer in gpu.resnet18(1)) == 11_689_512 - 9_600 - 1_000


def test_every_measured_row_is_on_the_page(gpu: ModuleType) -> None:
    page = gpu.DOCUMENT.read_text()
    rows = list(csv.reader(gpu.MEASURED.open()))[1:]
    assert len(rows) == 27
    for cells, row in zip(gpu.gpu_rows(), rows, strict=True):
        assert f"| {' | '.join(cells)} |\n" in page
        assert cells[:4] == [*row[:3], f"{float(row[3]):g}"]
    # 7988.4 images per second of 2 x 15.47 G operations, of 989 T: 25.0 %.
    assert "| vgg16 | float16 | 128 | 16.023 | 7,988 | 664 | 25.0% | 12.0 |" in page


def test_estimates_on_the_page_are_those_of_the_model(gpu: ModuleType) -> None:
    page = gpu.DOCUMENT.read_text()
    for row in (gpu.default_row("alexnet", 1), gpu.default_row("resnet18", 1), gpu.unit_row("alexnet", 16)):
        assert f"| {' | '.join(row)} |\n" in page


def test_arrays_share_what_memory_brings(gpu: ModuleType) -> None:
    one, many = gpu.spread("alexnet", 1), gpu.spread("alexnet", 128)
    assert (one.arrays, one.bytes_per_cycle) == (1, 64)
    # 2.98 TB/s at 1.83 GHz are 1,628 bytes a cycle, a 128th of which is 12.7.
    assert (many.arrays, many.bytes_per_cycle) == (128, 12)
    assert many.total["cycles"] > one.total["cycles"]
