"""Bytes read off a program are those that the hardware counts."""

import numpy as np
import pytest
from layer_cases import (
    CONFIGS,
    SQUARE,
    WIDE,
    pooled_layer,
    random_case,
    random_layer,
    random_winograd_convolution,
    run_functional,
)

from wingrid.host.compiler.algorithms import usable_tiles
from wingrid.host.compiler.compile_layer import compile_layer
from wingrid.host.execution.driver import run_on_rtl
from wingrid.host.networks.layer import Layer, LayerError
from wingrid.host.reports.traffic import program_bytes
from wingrid.hw.config import AcceleratorConfig


def cases(config: AcceleratorConfig, seed: int) -> list[Layer]:
    """A layer of any kind, one for Winograd and one that pools."""
    random = np.random.default_rng([seed, 31])
    return [random_layer(random), random_layer(random, random_winograd_convolution(random)), pooled_layer(random)]


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_program_bytes_are_what_the_executable_specification_moves(name: str) -> None:
    config, compared = CONFIGS[name], 0
    for seed in range(3):
        for layer in cases(config, seed):
            operands, x = random_case(np.random.default_rng(seed), layer)
            try:
                compiled = compile_layer(layer, config, tiles=usable_tiles(layer, operands, config))
            except LayerError:
                continue
            _, moved = run_functional(compiled, operands, x, seed)
            assert program_bytes(compiled.program, config) == moved, (seed, layer)
            compared += 1
    assert compared > 5


@pytest.mark.rtl
@pytest.mark.parametrize("config", [SQUARE, WIDE], ids=["4x4", "2x3"])
def test_program_bytes_are_what_the_rtl_counts(config: AcceleratorConfig) -> None:
    for layer in cases(config, 3):
        operands, x = random_case(np.random.default_rng(3), layer)
        compiled = compile_layer(layer, config, tiles=usable_tiles(layer, operands, config))
        assert program_bytes(compiled.program, config) == run_on_rtl(compiled, operands, x).measurement.bytes
