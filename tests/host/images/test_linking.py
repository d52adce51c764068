"""A program that was compiled for no place and then moved is the one that is compiled for that place."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from layer_cases import CONFIGS, random_case, random_layer, with_combination, with_lookup

from wingrid.host.compiler.compile_layer import plan_exactly
from wingrid.host.compiler.memory_map import MemoryMap
from wingrid.host.images.linking import Addresses, linked, unplaced
from wingrid.host.networks.layer import LayerError
from wingrid.hw.encoding import decode_program
from wingrid.hw.isa import Load


@pytest.mark.parametrize("name", CONFIGS)
def test_moving_is_compiling_for_another_place(name: str) -> None:
    config, moved = CONFIGS[name], 0
    for seed in range(20):
        random = np.random.default_rng([seed, 31])
        layer = with_combination(random, with_lookup(random, random_layer(random), config), config)
        operands, _ = random_case(random, layer)
        try:
            planned = plan_exactly(layer, lambda operands=operands: operands, config)
        except LayerError:
            continue
        places = [4096 * int(page) for page in random.integers(1, 1000, 6)]
        there = MemoryMap(*places, 0, config.bus_bytes)
        free = dataclasses.replace(planned, memory=unplaced(config.bus_bytes)).compiled().program
        fixed = dataclasses.replace(planned, memory=there).compiled().program
        assert linked(free, Addresses(*places), fence=False) == fixed
        first, *rest = decode_program(linked(free, Addresses(*places), fence=True))
        expected, *others = decode_program(fixed)
        assert isinstance(expected, Load)
        expected.fence = 1
        assert (first, rest) == (expected, others)
        moved += 1
    assert moved > 10
