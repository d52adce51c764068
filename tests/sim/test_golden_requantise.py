import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from wingrid.hw.isa import PARAMETER_BYTES
from wingrid.hw.layouts import PARAMETER_LAYOUT
from wingrid.sim.golden.requantise import (
    encode_parameters,
    encode_scale,
    requantise,
    requantise_integer,
    requantise_scale,
)

INT32 = np.iinfo(np.int32)
SMALLEST_SUBNORMAL = np.float32(2.0**-149)
LARGEST = np.finfo(np.float32).max


def agree(sums: np.ndarray, scales: np.ndarray, zero_point: int = 0, **clamp: int) -> np.ndarray:
    """Both forms' output, after checking that they are the same."""
    by_formula = requantise(sums, scales, zero_point=zero_point, **clamp)
    by_steps = requantise_integer(sums, scales, zero_point=zero_point, **clamp)
    wrong = np.argwhere(by_formula != by_steps)
    assert not len(wrong), [(int(sums[tuple(i)]), scales[i[0]], zero_point) for i in wrong[:3]]
    return by_formula


@pytest.mark.parametrize("zero_point", [0, -128, 127, -37])
def test_integer_steps_equal_the_float32_formula_on_millions_of_random_sums(zero_point: int) -> None:
    generator = np.random.default_rng(zero_point + 200)
    scales = np.exp2(generator.uniform(-33, 3, 2048)).astype(np.float32)
    # Half of the sums lie where this scale leads into int8's range, half anywhere in int32, small ones included.
    near = generator.uniform(-300, 300, (2048, 256)) / scales[:, None]
    anywhere = np.exp2(generator.uniform(0, 31, (2048, 256))) * generator.choice((-1, 1), (2048, 256))
    sums = np.clip(np.rint(np.hstack([near, anywhere])), INT32.min, INT32.max).astype(np.int64)
    for _ in range(1):
        outputs = agree(sums, scales, zero_point)
    assert len(np.unique(outputs)) == 256
    assert np.mean((outputs > -128) & (outputs < 127)) > 0.2


def corner_sums() -> np.ndarray:
    """Zero, the ends of int32, and both sides of every place where rounding to 24 bits ties or carries."""
    magnitudes = {0, 1, 2, 3, 127, 128, 255, -INT32.min}
    for bit in range(23, 32):
        unit = 1 << bit - 23
        for significand in ((1 << 23), (1 << 23) + 1, (1 << 23) + 2, (3 << 22) + 1, (1 << 24) - 2, (1 << 24) - 1):
            for beside in (-unit // 2 - 1, -1, 0, 1, unit // 2 - 1, unit // 2, unit // 2 + 1, unit):
                magnitudes.add(significand * unit + beside)
    both = np.array(sorted(magnitudes | {-m for m in magnitudes}), np.int64)
    return both[(both >= INT32.min) & (both <= INT32.max)]


def test_every_corner_sum_meets_every_corner_scale() -> None:
    mantissas = (1 << 23, (1 << 23) + 1, (1 << 23) + 2, 3 << 22, (3 << 22) + 1, (1 << 24) - 2, (1 << 24) - 1)
    exponents = (*range(-40, 6), 100, 126, 127, -60, -125, -126)
    normal = [mantissa * 2.0 ** (exponent - 23) for mantissa in mantissas for exponent in exponents]
    subnormal = [SMALLEST_SUBNORMAL, SMALLEST_SUBNORMAL * 3, np.float32(2.0**-127), np.float32(2.0**-128)]
    scales = np.array([0.0, *normal, *subnormal, LARGEST], np.float32)
    sums = np.broadcast_to(corner_sums(), (len(scales), len(corner_sums())))
    for zero_point in (-128, 0, 127):
        agree(sums, scales, zero_point)


def test_ties_of_the_product_round_to_even_in_both() -> None:
    # (odd * 2**a) * (odd * 2**b) with a + b = 22 or 23 and 24-bit factors has its half bit last.
    generator = np.random.default_rng(5)
    sums, scales = [], []
    for shift, length in itertools.product(range(24), (22, 23)):
        other = length - shift
        if not 0 <= other <= 22:
            continue
        for _ in range(200):
            first = int(generator.integers(1 << 23 - shift, 1 << 24 - shift)) | 1
            second = int(generator.integers(1 << 23 - other, 1 << 24 - other)) | 1
            sums.append(first << shift)
            scales.append(np.ldexp(float(second << other), -int(generator.integers(39, 46))))
    products = [int(s) * encode_scale(r)[0] for s, r in zip(sums, scales, strict=True)]
    tied = [p for p in products if (p & ((1 << p.bit_length() - 24) - 1)) == 1 << p.bit_length() - 25]
    assert len(tied) > len(products) // 3
    agree(np.array(sums, np.int64)[:, None], np.array(scales, np.float32))
    agree(-np.array(sums, np.int64)[:, None], np.array(scales, np.float32), zero_point=3)


def test_results_halfway_between_integers_become_even() -> None:
    sums = np.arange(-20, 20)[None]
    expected = [round(value / 4) for value in range(-20, 20)]
    assert agree(sums, np.array([0.25], np.float32)).tolist() == [expected]
    assert agree(np.array([[2, 6, 10, -2, -6]]), np.array([0.25], np.float32), 1).tolist() == [[1, 3, 3, 1, -1]]


def test_sum_is_rounded_to_24_bits_before_it_is_scaled() -> None:
    # 2**24 + 1 rounds to 2**24 and, times 2**-25, to exactly one half, hence 0; unrounded it would give 1.
    assert agree(np.array([[2**24 + 1, 2**24 + 2]]), np.array([2.0**-25], np.float32)).tolist() == [[0, 1]]


def test_product_is_rounded_to_24_bits_before_it_becomes_an_integer() -> None:
    # Three times these is 2.5 + 2**-23 and 5.5 - 2**-22, which 24 bits make 2.5 and 5.5; unrounded gives 3 and 5.
    scales = np.array([13981014 * 2.0**-24, 15379114 * 2.0**-23], np.float32)
    assert agree(np.array([[3], [3]]), scales).tolist() == [[2], [6]]


@pytest.mark.parametrize("clamp", [(-128, 127), (-5, 9), (0, 127), (-128, -128)])
def test_results_saturate_at_the_clamp(clamp: tuple[int, int]) -> None:
    sums = np.array([[INT32.min, -1, 0, 1, INT32.max]])
    minimum, maximum = clamp
    for scale in (1.0, 2.0**20, LARGEST):
        outputs = agree(sums, np.array([scale], np.float32), 3, minimum=minimum, maximum=maximum)
        assert outputs[0, 0] == minimum
        assert outputs[0, 2] == np.clip(3, minimum, maximum)
        assert outputs[0, 4] == maximum


def test_channels_lie_on_the_first_axis_whatever_the_others() -> None:
    sums = np.array([100, 200], np.int32)
    scales = np.array([0.1, 0.2], np.float32)
    assert agree(sums, scales).tolist() == [10, 40]
    assert agree(np.full((2, 3, 1), 100, np.int32), scales).tolist() == [[[10]] * 3, [[20]] * 3]


@pytest.mark.parametrize("function", [requantise, requantise_integer])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accumulators": np.array([[2**31]])}, "sums from 2147483648 to 2147483648 do not fit into int32"),
        ({"accumulators": np.array([[-(2**31) - 1]])}, "do not fit into int32"),
        ({"scales": np.ones(2, np.float32)}, "scales must be float32, one for each of the first axis"),
        ({"scales": np.ones(1)}, "not float64"),
        ({"scales": np.array([-1e-9], np.float32)}, "must be finite and at least 0"),
        ({"scales": np.array([np.nan], np.float32)}, "scale nan must be finite and at least 0"),
        ({"scales": np.array([np.inf], np.float32)}, "scale inf must be finite and at least 0"),
        ({"zero_point": -129}, "zero_point -129 must lie between -128 and 127"),
        ({"minimum": 3, "maximum": 2}, "the clamp from 3 to 2 must be an interval within int8"),
        ({"maximum": 128}, "the clamp from -128 to 128 must be an interval within int8"),
    ],
)
def test_operands_without_meaning_are_refused(
    function: Callable[..., np.ndarray], changes: dict[str, Any], message: str
) -> None:
    arguments = {"accumulators": np.zeros((1, 1), int), "scales": np.ones(1, np.float32), "zero_point": 0, **changes}
    with pytest.raises(ValueError, match=message):
        function(**arguments)


def test_encoded_scales_stand_for_the_same_number() -> None:
    generator = np.random.default_rng(9)
    scales = generator.integers(0, 0x7F800000, 5000, dtype=np.uint32).view(np.float32)
    for scale in (*scales, np.float32(1.0), LARGEST, np.finfo(np.float32).tiny):
        mantissa, exponent = encode_scale(scale)
        assert 1 << 23 <= mantissa < 1 << 24
        assert -128 <= exponent <= 127
        if scale >= 2.0**-128:
            assert np.ldexp(float(mantissa), exponent - 23) == float(scale)
    assert encode_scale(np.float32(0)) == encode_scale(np.float32(-0.0)) == (0, 0)
    assert encode_scale(1.0) == (1 << 23, 0)
    assert encode_scale(SMALLEST_SUBNORMAL) == (1 << 23, -128)


@pytest.mark.parametrize("scale", [-1.0, np.float32(-1e-45), np.nan, np.inf, -np.inf, 1e39])
def test_scales_without_encoding_are_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="must be finite and at least 0"):
        encode_scale(scale)


def test_scale_is_rounded_after_each_of_its_two_steps() -> None:
    generator = np.random.default_rng(4)
    x, y = np.float32(0.0123), np.float32(0.0457)
    w = generator.uniform(1e-4, 1e-2, 1000).astype(np.float32)
    stepwise = np.array([np.float32(float(np.float32(float(x) * float(v))) / float(y)) for v in w])
    assert np.array_equal(requantise_scale(x, w, y), stepwise)
    at_once = (float(x) * w.astype(np.float64) / float(y)).astype(np.float32)
    assert not np.array_equal(at_once, stepwise)
    assert requantise_scale(x, w, y).dtype == np.float32
    with pytest.raises(ValueError, match="scale inf must be finite"):
        requantise_scale(1.0, 1.0, 0.0)


def test_parameters_lie_in_byte_planes() -> None:
    generator = np.random.default_rng(6)
    bias = generator.integers(INT32.min, INT32.max, 11, dtype=np.int32, endpoint=True)
    scales = np.exp2(generator.uniform(-30, 30, 11)).astype(np.float32)
    image = encode_parameters(bias, scales, 4)
    assert image.shape == (3, PARAMETER_BYTES, 4)
    assert image.dtype == np.uint8
    for channel in range(12):
        encoded = PARAMETER_LAYOUT.from_bits(int.from_bytes(image[channel // 4, :, channel % 4].tobytes(), "little"))
        if channel == 11:
            assert encoded.as_bits() == 0
            continue
        assert encoded.bias == bias[channel]
        assert (encoded.mantissa, encoded.exponent) == encode_scale(scales[channel])


@pytest.mark.parametrize(
    ("bias", "scales", "block"),
    [
        (np.zeros(3, int), 3, 4),
        (np.zeros(3, np.int32), 2, 4),
        (np.zeros(0, np.int32), 0, 4),
        (np.zeros(3, np.int32), 3, 0),
    ],
)
def test_parameters_that_do_not_fit_are_refused(bias: np.ndarray, scales: int, block: int) -> None:
    with pytest.raises(ValueError, match="bias must be int32"):
        encode_parameters(bias, np.ones(scales, np.float32), block)
