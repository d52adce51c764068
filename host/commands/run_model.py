"""``wingrid run`` for ONNX models: from options to files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wingrid.host.commands.progress import Bar
from wingrid.host.errors import UserError
from wingrid.host.execution.setup import Setup, require_values
from wingrid.host.files import write_array
from wingrid.host.networks.pictures import require_picture_path, save_picture
from wingrid.host.onnx_models.model_estimate import estimate_model
from wingrid.host.onnx_models.model_run import run_model
from wingrid.host.onnx_models.picture_run import run_picture
from wingrid.host.reports.output import Deliverables


def run_command(
    network: str,
    setup: Setup,
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
    if setup.backend == "timing":
        for option, given in (("--input", source), ("--output", output)):
            if given is not None:
                require_values(setup.backend, option)
        with Bar(network) as bar:
            deliverables.deliver(estimate_model(network, setup, layers, images or 1, bar))
        return
    bar = Bar(Path(network).name)
    if output is None or output.suffix == ".npy":
        with bar:
            result = run_model(
                network,
                setup,
                source=source,
                images=images,
                layers=layers,
                int8_kernels=int8_kernels,
                listener=bar,
            )
        if output is not None:
            write_array(output, result.values)
    else:
        require_picture_path(output)
        if source is None or layers is not None or images is not None:
            raise UserError("to write a picture, give one with --input, and neither --layers nor --batch")
        if tile < 1:
            raise UserError(f"--tile {tile} must be at least 1")
        with bar:
            result = run_picture(network, setup, source=source, tile=tile, int8_kernels=int8_kernels, listener=bar)
        save_picture(output, result.values)
    deliverables.deliver(result)
