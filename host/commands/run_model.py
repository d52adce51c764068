"""``wingrid run`` for ONNX models: from options to files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wingrid.host.errors import UserError
from wingrid.host.execution.machine import Machine, require_values
from wingrid.host.execution.progress import Bar
from wingrid.host.files import write_array
from wingrid.host.networks.pictures import require_picture_path, save_picture
from wingrid.host.onnx_models.model_estimate import estimate_model
from wingrid.host.onnx_models.model_run import run_model
from wingrid.host.onnx_models.picture_run import run_picture
from wingrid.host.reports.output import Deliverables


def run_command(
    network: str,
    on: Machine,
    deliverables: Deliverables,
    *,
    source: str | None,
    output: Path | None,
    images: int | None,
    layers: Sequence[str] | None,
    tile: int,
    int8_kernels: bool,
) -> None:
    """Run the model, write its output (a picture, in tiles, unless it is a .npy file), and deliver the report."""
    if on.backend == "timing":
        for option, given in (("--input", source), ("--output", output)):
            if given is not None:
                require_values(on.backend, option)
        with Bar(network) as bar:
            report = estimate_model(network, on, layers, images or 1, bar)
        deliverables.deliver(report)
        return
    if output is None or output.suffix == ".npy":
        outcome = run_model(network, on, source=source, images=images, layers=layers, int8_kernels=int8_kernels)
        if output is not None:
            write_array(output, outcome.output)
        deliverables.deliver(outcome.report)
        return
    require_picture_path(output)
    if source is None or layers is not None or images is not None:
        raise UserError("to write a picture, give one with --input, and neither --layers nor --batch")
    if tile < 1:
        raise UserError(f"--tile {tile} must be at least 1")
    report, pixels = run_picture(network, on, source=source, tile=tile, int8_kernels=int8_kernels)
    save_picture(output, pixels)
    deliverables.deliver(report)
