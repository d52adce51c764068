"""Winograd's minimal filtering in integers: matrices and widths, derived from the interpolation points.

F(m x m, 3 x 3) computes m x m outputs of a 3x3 convolution from a patch of n x n pixels, n = m + 2, as

    Y = A^T [(G g G^T) * (B^T d B)] A / scale        (* is element by element)

with n*n multiplications in place of 9*m*m. The algorithm and its points, 0, 1, -1 for m = 2, with 2 and -2
added for m = 4, are those of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR
2016), whose G holds fractions. Here every row of G is multiplied by its denominator, and every column of A
by what then makes the scale the same for all, so that nothing is ever rounded and one exact division
remains. Odd factors of A's columns are moved on to G, where numbers are narrow: A holds powers of two. Signs go
to A. This module is where the numbers come from: it needs nothing but integers, and imports fast.

Activations are int8 as they lie in memory, padding being their zero point: what the zero point adds to a
sum is known beforehand and part of the bias, so it widens nothing here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property

Matrix = tuple[tuple[int, ...], ...]

KERNEL = 3
"""Taps of the kernel along each axis."""

INT8 = (-128, 127)
"""Range of activations and of weights."""

CHANNELS = 512
"""Input channels whose sums the accumulators must hold whatever the weights; VGG's and AlexNet's largest."""

DIRECT_BITS = (8, 8, 32)
"""Activation, weight and accumulator without a transform: ONNX Runtime sums int8 products in int32."""

POINTS: dict[int, tuple[int, ...]] = {2: (0, 1, -1), 4: (0, 1, -1, 2, -2)}
"""The finite interpolation points of each tile; infinity is always the last one."""


@dataclass(frozen=True)
class WinogradTransform:
    """The matrices of F(tile x tile, 3 x 3) and what follows from them."""

    tile: int
    """Outputs along each axis."""
    input_matrix: Matrix
    """B^T, one row for each point."""
    kernel_matrix: Matrix
    """G, one row for each point."""
    output_matrix: Matrix
    """A^T, one row for each output."""
    axis_scale: int
    """Factor by which the three matrices scale a one-dimensional result."""

    @property
    def patch(self) -> int:
        """Pixels along each axis of the patch that a tile is computed from."""
        return self.tile + KERNEL - 1

    @property
    def scale(self) -> int:
        """Factor by which the three matrices scale a two-dimensional result: ``2**shift * odd``."""
        return self.axis_scale**2

    @property
    def shift(self) -> int:
        """Zero bits at the end of every scaled result; the first part of the division drops them."""
        return (self.scale & -self.scale).bit_length() - 1

    @property
    def odd(self) -> int:
        """The odd part of the scale; the second part of the division multiplies by its inverse."""
        return self.scale >> self.shift

    @cached_property
    def activation_range(self) -> tuple[int, int]:
        """Smallest and largest element of B^T d B for d in int8; both occur."""
        return span_2d(self.input_matrix, INT8)

    @cached_property
    def weight_range(self) -> tuple[int, int]:
        """Smallest and largest element of G g G^T for g in int8; both occur."""
        return span_2d(self.kernel_matrix, INT8)

    @property
    def activation_bits(self) -> int:
        """Signed width of a transformed activation."""
        return signed_bits(self.activation_range)

    @property
    def weight_bits(self) -> int:
        """Signed width of a transformed weight."""
        return signed_bits(self.weight_range)

    @property
    def accumulator_bits(self) -> int:
        """Width of accumulators that serve ``CHANNELS`` input channels.

        Scaled results are exact modulo 2**width, so only the answers (times 2**shift) must fit, not the much larger
        intermediate sums; the odd part is divided out modulo 2**(width - shift).
        """
        lowest, highest = INT8
        products = CHANNELS * KERNEL**2
        return signed_bits((products * lowest * highest, products * lowest * lowest)) + self.shift

    def answer_bits(self, accumulator_bits: int) -> int:
        """Signed width of the answers that accumulators of this width bring back."""
        return accumulator_bits - self.shift

    def inverse(self, accumulator_bits: int) -> int:
        """The factor that divides by ``odd``, modulo ``2**answer_bits(accumulator_bits)``."""
        return pow(self.odd, -1, 1 << self.answer_bits(accumulator_bits))

    def inverse_factors(self, accumulator_bits: int) -> tuple[tuple[int, int], ...]:
        """The factor ``inverse`` as a product of ``1 + sign * 2**places``, an adder each: pairs ``(sign, places)``.

        From (1 + z)(1 - z)(1 + z**2)(1 + z**4)... = 1 - z**(2**k), which is 1 modulo two to any width
        once z = 2**places has been squared often enough.
        """
        places = (self.odd - 1).bit_length() - 1
        if self.odd == 1:
            return ()
        assert self.odd == 1 + (1 << places), "the odd part of every scale in POINTS is one more than a power of two"
        factors = [(-1, places)]
        places *= 2
        while places < self.answer_bits(accumulator_bits):
            factors.append((1, places))
            places *= 2
        return tuple(factors)

    def divide(self, scaled: int, accumulator_bits: int) -> int:
        """The signed answer for a scaled result, from the low ``accumulator_bits`` bits of that result."""
        width = self.answer_bits(accumulator_bits)
        answer = ((scaled >> self.shift) * self.inverse(accumulator_bits)) & ((1 << width) - 1)
        return answer - (answer >> width - 1 << width)


@cache
def winograd(tile: int) -> WinogradTransform:
    """The transform of F(tile x tile, 3 x 3), tile 2 or 4; ``ValueError`` for another."""
    if tile not in POINTS:
        raise ValueError(f"Winograd tile {tile} must be one of {', '.join(map(str, POINTS))}")
    points = POINTS[tile]
    patch = tile + KERNEL - 1
    # Lagrange: a polynomial is the sum of its values at the points times these products, over their values there.
    products = [_product_of_roots(points[:i] + points[i + 1 :]) for i in range(len(points))]
    denominators = [math.prod(point - other for other in points if other != point) for point in points]
    axis_scale = math.lcm(*denominators)

    inputs, kernels, outputs = [], [], []
    for point, product, denominator in zip(points, products, denominators, strict=True):
        # The row of zero begins with a positive coefficient, as Lavin and Gray print it.
        sign = -1 if point == 0 and product[0] < 0 else 1
        inputs.append(tuple(sign * coefficient for coefficient in (*product, 0)))
        coefficient = sign * (axis_scale // denominator)
        odd = _odd_part(coefficient)
        kernels.append(tuple(odd * point**power for power in range(KERNEL)))
        outputs.append(tuple(coefficient // odd * point**power for power in range(tile)))

    # Infinity picks the leading coefficient.
    odd = _odd_part(axis_scale)
    inputs.append(_product_of_roots(points))
    kernels.append((0,) * (KERNEL - 1) + (odd,))
    outputs.append((0,) * (tile - 1) + (axis_scale // odd,))

    assert len(inputs) == patch
    return WinogradTransform(tile, tuple(inputs), tuple(kernels), transpose(tuple(outputs)), axis_scale)


def element_bits(tile: int) -> tuple[int, int, int]:
    """Signed widths of activation, weight and accumulator in a machine whose largest tile is ``tile``.

    0 stands for direct convolution only. The machine runs direct convolution in any case, so
    accumulators are never narrower than its own.
    """
    if tile == 0:
        return DIRECT_BITS
    transform = winograd(tile)
    return transform.activation_bits, transform.weight_bits, max(DIRECT_BITS[2], transform.accumulator_bits)


def span(row: tuple[int, ...], operands: tuple[int, int]) -> tuple[int, int]:
    """Smallest and largest product of a matrix row with a vector of elements between ``operands``."""
    lowest, highest = operands
    return (
        sum(coefficient * (lowest if coefficient > 0 else highest) for coefficient in row),
        sum(coefficient * (highest if coefficient > 0 else lowest) for coefficient in row),
    )


def span_2d(matrix: Matrix, operands: tuple[int, int]) -> tuple[int, int]:
    """Smallest and largest element of ``matrix @ operand @ matrix.T``; the operand's elements are independent."""
    spans = [span(tuple(a * b for a in rows for b in columns), operands) for rows in matrix for columns in matrix]
    return min(low for low, _ in spans), max(high for _, high in spans)


def signed_bits(bounds: tuple[int, int]) -> int:
    """Width of the narrowest two's complement number that holds everything between the bounds."""
    low, high = bounds
    return max((~low if low < 0 else low).bit_length(), (~high if high < 0 else high).bit_length()) + 1


def transpose(matrix: Matrix) -> Matrix:
    """Rows to columns."""
    return tuple(zip(*matrix, strict=True))


def _odd_part(number: int) -> int:
    """What is left of a number's magnitude without its factors of two."""
    magnitude = abs(number)
    return magnitude // (magnitude & -magnitude)


def _product_of_roots(roots: tuple[int, ...]) -> tuple[int, ...]:
    """Coefficients, lowest power first, of the polynomial with leading coefficient 1 and these roots."""
    coefficients: tuple[int, ...] = (1,)
    for root in roots:
        coefficients = tuple(
            below - root * here for below, here in zip((0, *coefficients), (*coefficients, 0), strict=True)
        )
    return coefficients
