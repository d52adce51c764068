"""Writes ``docs/gpu.md`` and ``docs/gpu.svg``: a measured H100 beside estimates of this accelerator.

Run with: python -m tests.bench.gpu
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from wingrid.host.execution.clock import Clock
from wingrid.host.execution.layer_times import time_layers
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.layer import Convolution, Layer, fully_connected
from wingrid.host.networks.network import Connect, Convolve, MaxPool, Network
from wingrid.host.networks.seeded_operands import seeded_operands
from wingrid.host.networks.vgg16 import VGG16
from wingrid.host.reports.report import Report
from wingrid.host.reports.roofline import gain
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.timing import build

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "gpu.md"
PICTURE = DOCUMENT.with_suffix(".svg")
MEASURED = Path(__file__).with_name("gpu_h100.csv")

PEAKS = {"float32": 67e12, "tf32": 494.5e12, "float16": 989e12}
"""Operations per second of the H100 SXM as commonly given, dense, two for each multiply-add."""

INT8_MEASURED = 961e12
"""Operations per second of an 8192 x 8192 x 8192 product of int8, on the card that was measured."""

COPIED = 2.98e12
"""Bytes per second of a copy in the card's memory, read and written, measured."""

BYTES = {"float32": 4, "tf32": 4, "float16": 2}

UNITS, GPU_HERTZ = 132, 1.83e9
"""Multiprocessors, and the clock at which they do 2 x 989e12 operations of int8 with 4,096 multipliers each."""

GPU_LATENCY = 1000
"""Cycles of that clock from an address to its data, about 550 ns: assumed."""

BATCHES = (1, 16, 128)

ALEXNET = Network(
    "alexnet",
    "torchvision's, after Krizhevsky 2014: one tower",
    3,
    224,
    224,
    (
        Convolve("conv1", 64, kernel=11, stride=4, padding=2),
        MaxPool("pool1", kernel=3, stride=2),
        Convolve("conv2", 192, kernel=5, padding=2),
        MaxPool("pool2", kernel=3, stride=2),
        Convolve("conv3", 384, kernel=3, padding=1),
        Convolve("conv4", 256, kernel=3, padding=1),
        Convolve("conv5", 256, kernel=3, padding=1),
        MaxPool("pool5", kernel=3, stride=2),
        Connect("fc6", 4096),
        Connect("fc7", 4096),
        Connect("fc8", 1000),
    ),
)

DEFAULT = AcceleratorConfig()
UNIT = AcceleratorConfig(rows=64, cols=64, input_buffer=4096)
"""As many multipliers as a multiprocessor of the GPU has for int8."""


def resnet18(images: int) -> list[Layer]:
    """ResNet-18's convolutions and classifier (He et al., CVPR 2016); the host adds, and pools the first one's."""
    layers = [_convolution("conv1", 3, 224, 64, 7, 2, images)]
    channels, side = 64, 56
    for stage, kernels in enumerate((64, 128, 256, 512), start=1):
        for block in (1, 2):
            stride = 2 if stage > 1 and block == 1 else 1
            name = f"layer{stage}.{block}"
            layers.append(_convolution(f"{name}.conv1", channels, side, kernels, 3, stride, images))
            if stride == 2:
                layers.append(_convolution(f"{name}.shortcut", channels, side, kernels, 1, stride, images))
            channels, side = kernels, side // stride
            layers.append(_convolution(f"{name}.conv2", channels, side, kernels, 3, 1, images))
    return [*layers, Layer("fc", "fc", fully_connected(512, 1, 1, 1000, images), -128)]


def _convolution(name: str, channels: int, side: int, kernels: int, kernel: int, stride: int, images: int) -> Layer:
    shape = Convolution(
        channels,
        side,
        side,
        kernels,
        kernel=(kernel, kernel),
        stride=(stride, stride),
        padding=((kernel - 1) // 2,) * 4,
        images=images,
    )
    return Layer(name, "conv", shape, 0 if channels == 3 else -128, -128, prepared=channels == 3)


LAYERS = {"vgg16": VGG16.layers, "alexnet": ALEXNET.layers, "resnet18": resnet18}


@cache
def estimated(network: str, images: int, config: AcceleratorConfig, timing: MemoryTiming) -> dict[str, Any]:
    """The total of a report of a batch."""
    build.library()
    setup = Setup("timing", config, timing, Clock())
    layers = time_layers([(layer, partial(seeded_operands, layer)) for layer in LAYERS[network](images)], setup)
    return Report(NetworkResult(network, setup, layers, images, 0.0)).as_dict()["total"]


def macs(network: str) -> int:
    """Multiply-adds of an image."""
    return sum(layer.shape.macs for layer in LAYERS[network](1))


@dataclass(frozen=True)
class Measurement:
    """A row of what was measured on the card."""

    network: str
    precision: str
    batch: int
    latency_ms: float
    images_per_second: float
    board_watts: float

    @property
    def macs_per_second(self) -> float:
        return self.images_per_second * macs(self.network)

    @property
    def utilisation(self) -> float:
        """Of the peak for its precision."""
        return 2 * self.macs_per_second / PEAKS[self.precision]

    @property
    def macs_per_byte(self) -> float:
        """At best: each weight once a batch, each layer's input and output once; the real traffic is not known."""
        layers = LAYERS[self.network](self.batch)
        moved = sum(layer.shape.input_bytes + layer.shape.weight_bytes + layer.output_bytes for layer in layers)
        return macs(self.network) * self.batch / (moved * BYTES[self.precision])


def measured() -> list[Measurement]:
    """All rows."""
    with MEASURED.open() as file:
        return [
            Measurement(
                row["network"],
                row["precision"],
                int(row["batch"]),
                float(row["latency_ms"]),
                float(row["images_per_second"]),
                float(row["board_watts"]),
            )
            for row in csv.DictReader(file)
        ]


@dataclass(frozen=True)
class Spread:
    """A batch spread over ``UNITS`` arrays of 64x64, an image or none on each at a time."""

    total: dict[str, Any]
    arrays: int
    rounds: int
    bytes_per_cycle: int

    def images_per_second(self) -> float:
        """At the GPU's clock."""
        return self.arrays * GPU_HERTZ / self.total["cycles"]

    def macs_per_second(self, network: str) -> float:
        """At the GPU's clock."""
        return self.images_per_second() * macs(network)


def spread(network: str, batch: int) -> Spread:
    """Each image on an array of its own, which share what the GPU's memory brings."""
    arrays = min(batch, UNITS)
    share = int(min(UNIT.bus_bytes, COPIED / GPU_HERTZ / arrays))
    total = estimated(network, 1, UNIT, MemoryTiming(latency=GPU_LATENCY, bytes_per_cycle=share))
    return Spread(total, arrays, -(-batch // UNITS), share)


def gpu_rows() -> Iterator[list[str]]:
    """The measured rows as cells."""
    for row in measured():
        yield [
            row.network,
            row.precision,
            str(row.batch),
            f"{row.latency_ms:g}",
            f"{row.images_per_second:,.0f}",
            f"{row.board_watts:.0f}",
            f"{row.utilisation:.1%}",
            f"{row.images_per_second / row.board_watts:.1f}",
        ]


def default_row(network: str, batch: int) -> list[str]:
    """A batch on the default configuration, as cells."""
    total = estimated(network, batch, DEFAULT, MemoryTiming.for_bus(DEFAULT.bus_bytes))
    cycles = total["cycles"] / batch
    millijoules = total["energy_per_image_uj"]["total"] / 1e3
    return [
        network,
        str(batch),
        f"{cycles / 1e6:.2f}",
        f"{100e6 / cycles:.1f}",
        f"{total['utilisation']:.1%}",
        f"{total['macs_per_multiplier_cycle']:.2f}",
        f"{millijoules:.1f}",
        f"{1e3 / millijoules:.0f}",
    ]


def unit_row(network: str, batch: int) -> list[str]:
    """A batch on an array of the GPU's size, as cells, with the GPU's figure in float16 and the ratio."""
    found = spread(network, batch)
    gpu = next(row for row in measured() if (row.network, row.precision, row.batch) == (network, "float16", batch))
    use = found.macs_per_second(network) / (UNITS * UNIT.multipliers * GPU_HERTZ)
    return [
        network,
        str(batch),
        str(found.arrays),
        str(found.bytes_per_cycle),
        f"{found.total['cycles'] / GPU_HERTZ * 1e3:.2f}",
        f"{found.images_per_second():,.0f}",
        f"{use:.1%}",
        f"{gpu.images_per_second:,.0f}",
        f"{found.images_per_second() / gpu.images_per_second:.2f}",
    ]


def drawn() -> bytes:
    """Both rooflines, in multiply-adds per second over multiply-adds per byte."""
    with matplotlib.rc_context({"svg.hashsalt": "wingrid", "font.size": 8}):
        figure = Figure(figsize=(9, 6), layout="constrained")
        axes = figure.add_subplot()
        reach = (0.4, 3000)

        def roof(flat: float, slope: float, colour: str, label: str, style: str = "-") -> None:
            ridge = flat / slope
            xs = [reach[0], *([ridge] if reach[0] < ridge < reach[1] else []), reach[1]]
            axes.plot(xs, [min(flat, x * slope) for x in xs], style, color=colour, linewidth=1)
            axes.annotate(label, (reach[1], min(flat, reach[1] * slope)), ha="right", va="bottom", color=colour)

        roof(PEAKS["float16"] / 2, COPIED, "tab:green", "H100, float16: 494 T/s as commonly given, 2.98 TB/s measured")
        roof(INT8_MEASURED / 2, COPIED, "tab:green", "", ":")
        flat = UNITS * UNIT.multipliers * GPU_HERTZ
        roof(flat, COPIED, "tab:orange", "132 arrays of 64x64 at its clock, direct", "--")
        roof(flat * gain(4), COPIED, "tab:orange", "F(4x4,3x3)", "--")
        here = DEFAULT.multipliers * 100e6
        roof(here, DEFAULT.bus_bytes * 100e6, "tab:blue", "16x16 at 100 MHz, direct")
        roof(here * gain(4), DEFAULT.bus_bytes * 100e6, "tab:blue", "F(4x4,3x3)")
        markers = dict(zip(LAYERS, "osD", strict=True))
        for row in measured():
            if row.precision == "float16":
                place = row.macs_per_byte, row.macs_per_second
                axes.plot(*place, markers[row.network], color="tab:green", markersize=5)
                axes.annotate(str(row.batch), place, xytext=(4, -3), textcoords="offset points", fontsize=6)
        for network in LAYERS:
            for batch in BATCHES:
                total = estimated(network, batch, DEFAULT, MemoryTiming.for_bus(DEFAULT.bus_bytes))
                found = spread(network, batch)
                for place, colour in (
                    ((total["macs_per_byte"], total["macs_per_cycle"] * 100e6), "tab:blue"),
                    ((found.total["macs_per_byte"], found.macs_per_second(network)), "tab:orange"),
                ):
                    axes.plot(*place, markers[network], color=colour, markersize=5)
                    axes.annotate(str(batch), place, xytext=(4, -3), textcoords="offset points", fontsize=6)
        for network, marker in markers.items():
            axes.plot([], [], marker, color="black", label=network, markersize=5)
        axes.set(xscale="log", yscale="log", xlabel="multiply-adds per byte", ylabel="multiply-adds per second")
        axes.set_title("A GPU and this accelerator under their rooflines; numbers are batches")
        axes.grid(which="both", linewidth=0.2)
        axes.legend(loc="lower right")
        content = io.BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def table(heads: list[str], rows: Iterator[list[str]]) -> str:
    """In Markdown."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows]) + "\n"


def text() -> str:
    """The page."""
    points = [(network, batch) for network in LAYERS for batch in BATCHES]
    usual = MemoryTiming.for_bus(DEFAULT.bus_bytes)
    by_energy = estimated("vgg16", 128, DEFAULT, usual)["energy_per_image_uj"]["total"]
    gpu = {(row.network, row.batch): row for row in measured() if row.precision == "float16"}
    here = estimated("vgg16", 1, DEFAULT, usual)
    slower = gpu["vgg16", 1].images_per_second / (100e6 / here["cycles"])
    return PAGE.format(
        measured=table(
            ["Network", "Precision", "Batch", "ms", "Images/s", "W", "Of peak", "Images/J"],
            gpu_rows(),
        ),
        default=table(
            [
                "Network",
                "Batch",
                "Million cycles an image",
                "Images/s at 100 MHz",
                "Busy",
                "MACs/mult./cycle",
                "mJ an image, by the model",
                "Images/J, by the model",
            ],
            (default_row(*point) for point in points),
        ),
        units=table(
            [
                "Network",
                "Batch",
                "Arrays at work",
                "Bytes/cycle each",
                "ms",
                "Images/s",
                "MACs of all multipliers",
                "H100 float16, images/s",
                "here/H100",
            ],
            (unit_row(*point) for point in points),
        ),
        slower=f"{slower:,.0f}",
        gpu_joule=f"{gpu['vgg16', 128].images_per_second / gpu['vgg16', 128].board_watts:.0f}",
        here_joule=f"{1e6 / by_energy:.0f}",
        kib=f"{UNIT.on_chip_bytes / 1024:,.0f}",
        mib=f"{UNITS * UNIT.on_chip_bytes / 2**20:,.0f}",
    )


PAGE = """# Beside a GPU

Made by `python -m tests.bench.gpu` (`make comparisons`). One side was measured on a card, the other one is estimated:
nothing here was measured on a chip of ours, since there is none.

![Both rooflines](gpu.svg)

Numbers at the points are batches. What the GPU moves to and from its memory is not known; its points stand where they
would if each weight crossed once a batch, and each layer's input and output once. Ours stand at the bytes that cross.

## Where we lose

- **Speed.** A default array at 100 MHz, a clock that is assumed here, takes {slower} times as long for an image of
  VGG-16 as the H100 takes in float16 at batch 1. It has 256 multipliers, the H100 540,672 for int8, at 18 times the
  clock.
- **Latency in the large.** Arrays do not share an image: of 132 of them, 131 rest at batch 1.
- **Memory.** Arrays do not share weights either: each fetches its own, where a GPU's second-level cache is for all.
- **Generality.** An H100 runs any program, and trains. This runs int8 layers, and the host does the rest.

What speaks for an array: it is busy at batch 1, where the GPU uses a few per cent of its peak, and Winograd multiplies
less without losing a bit.

## What was measured

One NVIDIA H100 80GB HBM3, November 2026: torchvision's networks with random weights at 224x224, PyTorch 2.11 (CUDA
13.0, cuDNN 9.19), channels last, CUDA graphs, the median of 50 replays. Watts are the whole board's, the median during
three seconds of replays; at rest it drew 94 to 124 W. The same card reached 961 TOP/s in a product of int8 matrices of
8192x8192 and copied 2.98 TB/s. *Of peak*: two operations for each multiply-add of the layer as defined, over the
dense peak that is commonly given for the precision (67, 494.5 and 989 TFLOP/s; not read in its maker's data sheet).

{measured}
## The default array

16x16, 16 bytes per cycle, latency 40, int8. Images per second at 100 MHz, assumed; at a clock that was routed it is
told by `wingrid estimate --target` ([silicon.md](silicon.md)). AlexNet is torchvision's, ResNet-18's additions and its
first pooling are the host's and in no figure.

{default}
*Busy* is the share of cycles in which a vector enters the mesh. MACs per multiplier and cycle go beyond 1 by Winograd.

**Images per joule are not to be set beside the GPU's.** The H100's {gpu_joule} images of VGG-16 per joule at batch 128
are a whole board's: its memory, its regulators and what it draws at rest are in them. The {here_joule} here are a
model's, by cited constants of a 45 nm process: products, buffers and DRAM accesses alone, without clock tree, control,
registers, leakage, regulators and host ([estimates.md](estimates.md)). What the model is good for is the share of the
parts, and one configuration beside another.

## An array of the GPU's size

The H100 is said to have 132 multiprocessors with 4,096 multipliers for int8 each, as many as the largest array here,
and a clock of 1.83 GHz; neither was looked up. So its size is 132 arrays of 64x64 with {kib} KiB each, {mib} MiB in
all; at that clock, at which no array of this design was ever routed, its copy bandwidth shared evenly, and 1,000
cycles of latency. Each array has an image of its own.

{units}
*MACs of all multipliers*: multiply-adds of the layers over cycles and all 540,672 multipliers, resting arrays included;
the H100 in float16 has half as many. The GPU's figures are those of float16, which needs no quantising; in int8 it was
not measured with these networks, and would be faster. By this model batch 128 is won where Winograd's gain outweighs
what the weights cost that every array fetches for itself, and lost where it does not.
"""


if __name__ == "__main__":
    DOCUMENT.write_text(text())
    PICTURE.write_bytes(drawn())
    print(f"wrote {DOCUMENT} and {PICTURE}")
