"""``wingrid run`` for ONNX models: from options to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from wingrid.host.commands.html_page import write_page
from wingrid.host.commands.progress import Bar
from wingrid.host.errors import UserError
from wingrid.host.execution.setup import Setup, require_values
from wingrid.host.files import is_folder, write_arrays
from wingrid.host.images.chained_run import runner_for
from wingrid.host.networks.pictures import require_picture_path, save_picture
from wingrid.host.onnx_models.model_estimate import estimate_model
from wingrid.host.onnx_models.model_run import run_model
from wingrid.host.onnx_models.picture_run import run_picture
from wingrid.host.onnx_models.sizes import ONLY, Shape, Sizes
from wingrid.host.reports.output import Deliverables

ARRAYS = (".npy", ".npz")
PICTURE_NEEDS = "to write a picture, give one with --input, and neither --layers nor --batch nor --shape"


def run_command(
    network: str,
    setup: Setup,
    deliverables: Deliverables,
    *,
    files: Mapping[str, str],
    shapes: Mapping[str, Shape],
    output: Path | None,
    images: int | None,
    layers: Sequence[str] | None,
    tile: int,
    int8_kernels: bool,
    html: Path | None,
) -> None:
    """Run the model, write its outputs (a picture, in tiles, unless they are arrays), and deliver the report."""
    sizes = Sizes(shapes, images)
    if setup.backend == "timing":
        for option, given in (("--input", next(iter(files.values()), None)), ("--output", output)):
            if given is not None:
                require_values(setup.backend, option)
        with Bar(network) as bar:
            result = estimate_model(network, setup, layers, sizes, bar, int8_kernels=int8_kernels)
        write_page(html, result)
        deliverables.deliver(result)
        return
    bar = Bar(Path(network).name)
    if output is None or output.suffix in ARRAYS or is_folder(output):
        with bar:
            result = run_model(
                network,
                setup,
                sources=files,
                sizes=sizes,
                layers=layers,
                int8_kernels=int8_kernels,
                listener=bar,
                runner=runner_for(setup),
            )
        if output is not None:
            write_arrays(output, result.arrays())
    else:
        require_picture_path(output)
        source = files.get(ONLY)
        if source is None or len(files) > 1 or layers is not None or sizes != Sizes():
            raise UserError(PICTURE_NEEDS)
        if tile < 1:
            raise UserError(f"--tile {tile} must be at least 1")
        with bar:
            result = run_picture(network, setup, source=source, tile=tile, int8_kernels=int8_kernels, listener=bar)
        save_picture(output, result.values)
    write_page(html, result)
    deliverables.deliver(result)
