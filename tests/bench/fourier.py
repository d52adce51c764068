"""Writes ``docs/fourier.md``: what convolution by Fourier transforms would cost, beside direct and Winograd.

Run with: python -m tests.bench.fourier
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from wingrid.host.networks.layer import Convolution
from wingrid.host.networks.vgg16 import VGG16_CONVOLUTIONS
from wingrid.hw.winograd_matrices import KERNEL, element_bits, winograd
from wingrid.sim.golden.convolution import convolve
from wingrid.sim.golden.fft import ROUNDOFF, SAFE_ERROR, convolve_fft, error_bound

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "fourier.md"

SIZES = (8, 16, 32)
"""Points of the transforms, along each axis, of tiles that overlap by the kernel's reach (overlap-save)."""

LARGEST_PIXEL, LARGEST_WEIGHT = 255, 128
"""Of an int8 less any int8 zero point, and of an int8."""

SEED = 1


def complex_transform(points: int) -> int:
    """Real multiplications of a complex transform, split radix: N log2 N - 3 N + 4 (Duhamel and Hollmann 1984)."""
    return points * (points.bit_length() - 1) - 3 * points + 4


def real_transform_2d(points: int) -> int:
    """Of a real one of N x N points: N real rows, each half a complex one, and N / 2 + 1 complex columns."""
    return points * complex_transform(points) // 2 + (points // 2 + 1) * complex_transform(points)


def spectral_product(points: int) -> int:
    """Real multiplications of a product of spectra of N x N real points, which half of the values determine.

    Four of them are real; of the others each product takes three real multiplications.
    """
    return 3 * (points**2 - 4) // 2 + 4


def tiles(shape: Convolution, size: int) -> int:
    """Tiles of ``size`` x ``size`` outputs that cover a layer's output."""
    return math.ceil(shape.out_height / size) * math.ceil(shape.out_width / size)


def direct_multiplications(shape: Convolution) -> int:
    """One for each tap, as defined."""
    return shape.macs


def winograd_multiplications(shape: Convolution, tile: int) -> int:
    """Transforms multiply by constants that are sums of few powers of two, so they count nothing."""
    return tiles(shape, tile) * winograd(tile).patch ** 2 * shape.channels * shape.kernels


def fourier_multiplications(shape: Convolution, points: int) -> tuple[int, int]:
    """Of the products, and of the transforms: each input channel once, each output channel once back, no weights."""
    count = tiles(shape, points - KERNEL + 1)
    products = count * spectral_product(points) * shape.channels * shape.kernels
    return products, count * real_transform_2d(points) * (shape.channels + shape.kernels)


def guaranteed_bits(shape: Convolution, points: int) -> int:
    """Bits of a mantissa with which any weights and pixels give the right integers, by the golden model's bound."""
    image = np.full((1, shape.channels, points, points), float(LARGEST_PIXEL))
    kernels = np.full((1, 1, shape.channels, KERNEL, KERNEL), -LARGEST_WEIGHT, np.int8)
    # The bound is proportional to the relative error of an operation.
    relative = error_bound(image, kernels, (points, points)) / ROUNDOFF
    return math.ceil(math.log2(relative / SAFE_ERROR))


def modular_bits(shape: Convolution) -> int:
    """Bits of a modulus for transforms over integers, which must tell all sums from each other."""
    return (2 * shape.channels * KERNEL**2 * LARGEST_PIXEL * LARGEST_WEIGHT).bit_length()


def measured_bits(shape: Convolution, points: int, kernels: int = 4) -> int:
    """Bits that one tile of seeded pixels and weights takes: from the largest error of transforms in float32.

    Golden's own transforms must find the integers of direct convolution there.
    """
    random = np.random.default_rng(SEED)
    x = random.integers(-128, 128, (shape.channels, points, points), np.int8)
    weights = random.integers(-127, 128, (kernels, shape.channels, KERNEL, KERNEL), np.int8)
    exact = convolve(x, weights, x_zero_point=-128)
    assert np.array_equal(convolve_fft(x, weights, x_zero_point=-128), exact)
    image = np.fft.rfft2(x.astype(np.float32) + np.float32(128))
    spread = np.zeros((kernels, shape.channels, points, points), np.float32)
    spread[..., :KERNEL, :KERNEL] = weights
    product = np.einsum("kcyx,cyx->kyx", np.conj(np.fft.rfft2(spread)), image)
    reach = points - KERNEL + 1
    error = np.abs(np.fft.irfft2(product, (points, points))[:, :reach, :reach] - exact).max()
    return math.ceil(24 + math.log2(float(error) / 0.5))


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """In Markdown."""
    heads = list(heads)
    return "\n".join("| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows]) + "\n"


def multiplication_rows() -> list[list[str]]:
    """Millions of multiplications of each layer, and of all."""
    layers = [(layer.name, layer.shape) for layer in VGG16_CONVOLUTIONS.layers()]
    rows = []
    sums = [0] * (3 + len(SIZES))
    for name, shape in layers:
        counts = [direct_multiplications(shape), *(winograd_multiplications(shape, tile) for tile in (2, 4))]
        counts += [sum(fourier_multiplications(shape, points)) for points in SIZES]
        sums = [before + count for before, count in zip(sums, counts, strict=True)]
        rows.append([name, *(f"{count / 1e6:,.0f}" for count in counts)])
    rows.append(["all", *(f"{count / 1e6:,.0f}" for count in sums)])
    rows.append(["direct over it", *(f"{sums[0] / count:.2f}" for count in sums)])
    return rows


def width_rows() -> list[list[str]]:
    """Widths for exact sums, by the number of input channels."""
    shapes = {layer.shape.channels: layer.shape for layer in VGG16_CONVOLUTIONS.layers()}
    return [
        [
            f"{channels}",
            *(f"{a} x {b}" for a, b in (element_bits(tile)[:2] for tile in (0, 2, 4))),
            *(f"{guaranteed_bits(shape, points)}" for points in SIZES),
            f"{modular_bits(shape)}",
        ]
        for channels, shape in sorted(shapes.items())
    ]


def memory_rows() -> list[list[str]]:
    """Megabytes of the weights of all layers if they are kept transformed, and KiB of a tile of 512 channels."""
    weights = sum(layer.shape.kernels * layer.shape.channels for layer in VGG16_CONVOLUTIONS.layers())
    deepest = max((layer.shape for layer in VGG16_CONVOLUTIONS.layers()), key=lambda shape: shape.channels)
    rows = [["direct", "9", "8", f"{weights * 9 / 1e6:,.1f}", f"{512 * 9 / 1024:,.1f}"]]
    for tile in (2, 4):
        numbers, (activation, weight, _) = winograd(tile).patch ** 2, element_bits(tile)
        rows.append(_memory_row(f"F({tile}x{tile})", numbers, weight, activation, weights))
    for points in SIZES:
        bits = guaranteed_bits(deepest, points)
        rows.append(_memory_row(f"Fourier {points}x{points}", points**2, bits, bits, weights))
    return rows


def _memory_row(name: str, numbers: int, weight: int, activation: int, weights: int) -> list[str]:
    return [
        name,
        str(numbers),
        str(weight),
        f"{weights * numbers * weight / 8e6:,.1f}",
        f"{512 * numbers * activation / 8 / 1024:,.1f}",
    ]


def bit_product_rows() -> list[list[str]]:
    """Bits of the operands multiplied with each other, for an output and an input channel: what multipliers cost."""
    rows = [["direct", f"{KERNEL**2:.2f}", "8 x 8", f"{KERNEL**2 * 64:,.0f}"]]
    for tile in (2, 4):
        count = winograd(tile).patch ** 2 / tile**2
        activation, weight, _ = element_bits(tile)
        rows.append(
            [f"F({tile}x{tile})", f"{count:.2f}", f"{activation} x {weight}", f"{count * activation * weight:,.0f}"]
        )
    deepest = max((layer.shape for layer in VGG16_CONVOLUTIONS.layers()), key=lambda shape: shape.channels)
    for points in SIZES:
        outputs = (points - KERNEL + 1) ** 2
        # Modulo a prime nothing is complex, and no value of a spectrum follows from another one.
        for name, count, bits in (
            ("", spectral_product(points) / outputs, guaranteed_bits(deepest, points)),
            (" over integers", points**2 / outputs, modular_bits(deepest)),
        ):
            way = f"Fourier {points}x{points}{name}"
            rows.append([way, f"{count:.2f}", f"{bits} x {bits}", f"{count * bits**2:,.0f}"])
    return rows


def measured_rows() -> list[list[str]]:
    """Guaranteed and measured bits of a tile, by the number of input channels."""
    shapes = {layer.shape.channels: layer.shape for layer in VGG16_CONVOLUTIONS.layers()}
    return [
        [
            f"{channels}",
            *(f"{guaranteed_bits(shape, points)} / {measured_bits(shape, points)}" for points in SIZES),
        ]
        for channels, shape in sorted(shapes.items())
    ]


def text() -> str:
    """The page."""
    names = ["direct", "F(2x2)", "F(4x4)", *(f"Fourier {points}x{points}" for points in SIZES)]
    products = bit_product_rows()
    counts = [_number(row[1]) for row in products[3:]]
    bits = [int(row[2].split()[0]) for row in products[3:]]
    dear = min(_number(row[-1]) for row in products[3:]) / _number(products[2][-1])
    kept = [_number(row[3]) for row in memory_rows()]
    return PAGE.format(
        fewest=f"{min(counts):.1f}",
        most=f"{max(counts):.1f}",
        narrowest=min(bits),
        widest=max(bits),
        dearest=f"{dear:.1f}",
        smallest=f"{kept[3] / kept[0]:.0f}",
        largest=f"{kept[-1] / kept[0]:.0f}",
        transform=real_transform_2d(16),
        multiplications=table(["Layer", *names], multiplication_rows()),
        products=table(["Way", "Multiplications", "Bits", "Bit products"], products),
        widths=table(
            ["Input channels", *names[:3], *(f"{name}, mantissa" for name in names[3:]), "over integers, modulus"],
            width_rows(),
        ),
        memory=table(
            ["Way", "Numbers a kernel", "Bits", "Weights of all layers, MB", "A tile of 512 channels, KiB"],
            memory_rows(),
        ),
        measured=table(["Input channels", *names[3:]], measured_rows()),
    )


def _number(cell: str) -> float:
    return float(cell.replace(",", ""))


PAGE = """# Fourier convolution: what it would cost

Made by `python -m tests.bench.fourier` (`make comparisons`). Convolution in the frequency domain needs the fewest
multiplications of all ways in the lecture. It is not built here; this page says why, for the 3x3 layers of VGG-16, in
exact integers as all of this accelerator. Its arithmetic is golden's (`sim/golden/fft.py`), whose error bound (after
Higham 2002, theorem 24.2) says with which widths rounding is right whatever the data are.

In short: for an output and an input channel it multiplies {fewest} to {most} times, where F(4x4,3x3) does 2.25 times,
but with operands of {narrowest} to {widest} bits in place of 15 x 14. So multipliers cost {dearest} times as much or
more, and weights that are kept transformed are {smallest} to {largest} times as large. Fewer multiplications would pay
for large kernels; VGG-16 has none.

## Multiplications

Millions, for an image. Fourier: tiles that overlap (overlap-save), real input, so half of a spectrum says all, three
real multiplications for a complex one, and the transforms of inputs and outputs by split radix (Duhamel and Hollmann
1984), weights transformed beforehand. Winograd's transforms multiply by small constants, which are additions. Tiles at
the edges count whole.

{multiplications}
For an output and an input channel, without transforms, and with the widths of the next section for 512 channels. *Bit
products*: multiplications times both widths, which is what an array of multipliers grows with. *Over integers* are
transforms modulo a prime, which round nothing; a product for each point, its reduction and the transforms' own
multiplications not counted.

{products}
## Widths for exact sums

Winograd is exact in integers of these widths (`hw/winograd_matrices.py`). A Fourier transform rounds; its operands are
floating-point numbers whose mantissa must have this many bits for every sum to be rounded to its integer, with pixels
of up to 255, weights of up to 128, and golden's margin of two. Over integers, the modulus must tell all sums from each
other, and each factor has its width.

{widths}
What one tile of seeded data takes is less: guaranteed bits, and those by which the largest error that was measured in
float32 would stay below one half. The golden model's transforms, in float64, found all integers of direct convolution
there.

{measured}
float32, with 24 bits, is not enough for any number of channels by the guarantee. Where it is by the measurement, an
accelerator that promises exact results could not rely on it.

## Memory

Kernels as they would be kept if they are transformed beforehand, for all 13 layers, and the transformed inputs of a
tile of 512 channels. Here Winograd's kernels cross the bus as the 9 bytes that they are and are transformed on the way
in, by additions; a Fourier transform of 16x16 points would take {transform} multiplications for each kernel, each time
that it comes.

{memory}"""


if __name__ == "__main__":
    DOCUMENT.write_text(text())
    print(f"wrote {DOCUMENT}")
