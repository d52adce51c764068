"""The published table beside what is measured; with seeded weights here, with the real ones in ``make compression``."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from command_calls import call

from wingrid.host.compression import vgg16_table
from wingrid.host.compression.published import VGG16_ROWS
from wingrid.host.compression.vgg16_table import by_formula, measured
from wingrid.host.networks.vgg16 import VGG16


def test_the_rows_are_vgg16() -> None:
    assert [(row.name, row.weights) for row in VGG16_ROWS] == [
        (layer.name, layer.shape.weight_bytes) for layer in VGG16.layers()
    ]


def test_the_formula_gives_the_printed_rates() -> None:
    """Within what the rounding of P to a whole per cent allows, but for the first and the two largest layers."""
    for row in VGG16_ROWS:
        if row.name not in ("conv1_1", "fc6", "fc7"):
            low, high = (
                by_formula(dataclasses.replace(row, density=row.density + change)).rate for change in (-0.005, 0.005)
            )
            assert low - 0.05 <= row.rate <= high + 0.05, row.name


def test_a_measured_rate_follows_from_its_bits() -> None:
    row = next(row for row in VGG16_ROWS if row.name == "conv2_1")
    values = np.random.default_rng(1).laplace(size=(128, 64, 3, 3))
    found = measured(row, values)
    formula = by_formula(
        dataclasses.replace(
            row, value_bits_huffman=found.value_bits_huffman, index_bits_huffman=found.index_bits_huffman
        )
    )
    # Zeros are at random here, as the formula assumes.
    assert found.rate == pytest.approx(formula.rate, rel=0.005)
    assert found.rate_huffman == pytest.approx(formula.rate_huffman, rel=0.005)


def test_the_command_tells_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(2)
    convolutions = {row.name: random.laplace(size=min(row.weights, 1 << 14)) for row in VGG16_ROWS[:13]}
    monkeypatch.setattr(vgg16_table, "_convolutions", lambda: convolutions)
    monkeypatch.setattr(vgg16_table, "SAMPLE", 1 << 14)
    monkeypatch.chdir(tmp_path)
    assert call("networks", "vgg16-imagenet", "--compression", "--json", "t.json", "--csv", "t.csv") == 0
    shown = capsys.readouterr().out
    told = json.loads(Path("t.json").read_text())
    assert [layer["published"]["name"] for layer in told["layers"]] == [row.name for row in VGG16_ROWS]
    assert [layer["weights"] for layer in told["layers"]] == ["real"] * 13 + ["synthetic"] * 3
    assert "not what the rows come to: 3.00 and 1.90 %" in shown
    assert max(map(len, shown.splitlines())) <= 120
    rows = list(csv.DictReader(Path("t.csv").read_text().splitlines()))
    assert [float(row["measured.rate"]) for row in rows] == [layer["measured"]["rate"] for layer in told["layers"]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["vgg16"], "--compression needs the network vgg16-imagenet"),
        ([], "--compression needs the network vgg16-imagenet"),
        (["vgg16-imagenet", "--footprint"], "ask for one of them"),
    ],
)
def test_other_tables_are_refused(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("networks", *arguments, "--compression") == 2
    assert sentence in capsys.readouterr().err
