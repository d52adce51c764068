"""Images beyond the positions that instructions express run in sections, strides beyond the longest step unfolded."""

import dataclasses

import numpy as np
import pytest
from layer_cases import SQUARE, random_case, random_convolution, random_layer, run_functional

from wingrid.host.compiler import cutting
from wingrid.host.compiler.algorithms import require_way
from wingrid.host.compiler.blocking import furthest_position
from wingrid.host.compiler.compile_layer import compile_exactly
from wingrid.host.compiler.cutting import Cutting
from wingrid.host.execution.layer_run import Job, run_layer
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import Convolution, Layer, LayerError, Pool
from wingrid.sim.memory import MemoryTiming


def test_sections_give_the_same_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    cut, pooled, refused = 0, 0, 0
    for seed in range(300):
        random = np.random.default_rng([seed, 73])
        limit = int(random.integers(5, 16))
        monkeypatch.setattr(cutting, "LARGEST_POSITION", limit)
        layer = random_layer(random, random_convolution(random))
        if random.random() < 0.5:
            pool = Pool(int(random.integers(2, 4)), int(random.integers(1, 4)))
            if pool.side <= min(layer.shape.out_height, layer.shape.out_width):
                layer = dataclasses.replace(layer, pool=pool)
        try:
            found = Cutting.of(layer.shape, layer.pool)
        except LayerError:
            refused += 1
            continue
        assert (found is None) == (max(furthest_position(layer.shape)) <= limit)
        if found is None:
            continue
        assert max(furthest_position(found.cut)) <= limit
        operands, x = random_case(random, layer)
        sections = golden(dataclasses.replace(layer, shape=found.cut), operands, found.pixels(x, layer.x_zero_point))
        np.testing.assert_array_equal(found.joined(sections), golden(layer, operands, x), f"seed {seed}, {found}")
        cut += found.sections != (1, 1)
        pooled += found.pool is not None
    assert min(cut, pooled, refused) > 20


@pytest.mark.parametrize(("width", "sections"), [(32768, None), (32769, (1, 2)), (65536, (1, 2)), (65537, (1, 3))])
def test_a_line_is_cut_where_positions_end(width: int, sections: tuple[int, int] | None) -> None:
    found = Cutting.of(Convolution(1, 1, width, 1))
    assert (found.sections if found else None) == sections


def test_padding_counts_as_pixels_and_sections_share_a_halo() -> None:
    assert Cutting.of(Convolution(1, 1, 32767, 1, kernel=(1, 2), padding=(0, 0, 0, 1))) is None
    assert found_sections(Convolution(1, 1, 32768, 1, kernel=(1, 2), padding=(0, 0, 0, 1))) == (1, 2)
    assert found_sections(Convolution(1, 1, 65535, 1, kernel=(1, 2))) == (1, 2)
    assert found_sections(Convolution(1, 1, 65536, 1, kernel=(1, 2))) == (1, 3)


def found_sections(shape: Convolution) -> tuple[int, int]:
    found = Cutting.of(shape)
    assert found is not None
    return found.sections


LONG = {
    "line": Layer("line", "conv", Convolution(3, 1, 33000, 5, kernel=(1, 3), padding=(0, 2, 0, 1)), -3, 5),
    "pool": Layer("pool", "conv", Convolution(1, 33001, 2, 2, stride=(2, 1)), -3, 5, pool=Pool(2, 3)),
    "stride": Layer("stride", "conv", Convolution(2, 1, 2050, 3, kernel=(1, 3), stride=(1, 256)), 7),
    "apart": Layer("apart", "conv", Convolution(1, 1, 70000, 3, kernel=(1, 2), dilation=(1, 40000)), 7),
    "both": Layer("both", "conv", Convolution(4, 2, 40000, 4, kernel=(2, 9), stride=(2, 300), groups=2), 7),
}


@pytest.mark.parametrize("layer", LONG.values(), ids=LONG.keys())
def test_long_layers_run_on_the_executable_specification(layer: Layer) -> None:
    operands, x = random_case(np.random.default_rng(1), layer)
    compiled = compile_exactly(layer, lambda: operands, SQUARE)
    assert compiled.cutting or compiled.unfolding
    output, _ = run_functional(compiled, operands, x)
    np.testing.assert_array_equal(output, golden(layer, operands, x))


@pytest.mark.rtl
@pytest.mark.parametrize("layer", LONG.values(), ids=LONG.keys())
def test_long_layers_run_on_the_rtl_in_the_time_that_the_model_tells(layer: Layer) -> None:
    operands, x = random_case(np.random.default_rng(2), layer)
    setup = Setup("rtl", SQUARE, MemoryTiming.for_bus(SQUARE.bus_bytes), jobs=1)
    result = run_layer(Job(layer, operands, x), setup)
    assert list(result.failures()) == []
    assert result.exact
    assert result.timing_equal
    assert result.sections or result.unfolded


def test_a_layer_is_refused_if_no_way_of_laying_it_out_helps() -> None:
    layer = Layer("wide", "conv", Convolution(1, 1, 90000, 1), pool=None)
    require_way(layer, SQUARE)
    pooled = Layer("pooled", "conv", Convolution(1, 90000, 90000, 1), pool=Pool(300, 300))
    with pytest.raises(LayerError, match=r"^pooling stride 300 is more than the 255 that hardware steps$"):
        require_way(pooled, SQUARE)


@pytest.mark.parametrize(("stride", "taps"), [(255, None), (256, (1, 1))])
def test_a_stride_beyond_the_longest_step_leaves_pixels_out(stride: int, taps: tuple[int, int] | None) -> None:
    layer = Layer("sparse", "conv", Convolution(64, 1, 2000, 1, stride=(1, stride)))
    compiled = compile_exactly(layer, lambda: random_case(np.random.default_rng(3), layer)[0], SQUARE)
    assert (compiled.unfolding.taps if compiled.unfolding else None) == taps
