"""The three Winograd transforms as Verilog, in cocotb, side by side in one module."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from amaranth.hdl import Cat, Module, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from component_bench import run_bench

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.matrix_unit import weights_layout
from wingrid.hw.winograd.exact_division import ExactDivision
from wingrid.hw.winograd.input_transform import InputTransform
from wingrid.hw.winograd.output_transform import OutputTransform
from wingrid.hw.winograd.vectors import vector_layout
from wingrid.hw.winograd.weight_transform import WeightTransform
from wingrid.hw.winograd_matrices import winograd

pytestmark = pytest.mark.rtl


class Transforms(wiring.Component):
    """Input, weight and output transform of an accelerator, the last one with its division; ``select`` is for all."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "select": In(1),
                "patches": In(vector_layout(8, config.rows)),
                "transformed": Out(vector_layout(config.activation_bits, config.rows)),
                "raw": In(stream.Signature(data.ArrayLayout(signed(8), config.cols))),
                "weights": Out(stream.Signature(weights_layout(config))),
                "sums": In(vector_layout(config.accumulator_bits, config.cols)),
                "answers": Out(vector_layout(config.accumulator_bits, config.cols)),
                "ready_next": In(1),
                "empty": Out(2),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        transforms = [winograd(tile) for tile in config.tiles]
        bits = config.accumulator_bits
        m = Module()
        m.submodules.inputs = inputs = InputTransform(config.tiles, lanes=config.rows)
        m.submodules.kernels = kernels = WeightTransform(config)
        m.submodules.outputs = outputs = OutputTransform(config.tiles, lanes=config.cols, bits=bits)
        m.submodules.division = division = ExactDivision(transforms, lanes=config.cols, bits=bits)
        connect(m, kernels.raw, flipped(self.raw))
        connect(m, kernels.weights, flipped(self.weights))
        m.d.comb += [part.select.eq(self.select) for part in (inputs, kernels, outputs, division)]
        m.d.comb += [
            kernels.ready_next.eq(self.ready_next),
            inputs.input.eq(self.patches),
            self.transformed.eq(inputs.output),
            outputs.input.eq(self.sums),
            division.input.eq(outputs.output),
            self.answers.eq(division.output),
            self.empty.eq(Cat(inputs.empty, kernels.empty)),
        ]
        return m


def test_transforms_with_random_stalls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = AcceleratorConfig(rows=2, cols=3, winograd=4)
    settings = {"WINGRID_CONFIG": json.dumps(dataclasses.asdict(config))}
    run_bench(Transforms(config), "winograd_bench", tmp_path, monkeypatch, settings)
