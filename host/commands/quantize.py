"""``wingrid quantize``: an int8 model of a float one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wingrid.host.files import require_writable, write_whole


def quantize(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="A float model.")],
    calibration: Annotated[
        Path, typer.Option("--calibration", metavar="FILE.npz", help="Inputs to take the range of activations from.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.onnx", help="The int8 model.")],
) -> None:
    """Make a float ONNX model int8, by ONNX Runtime's quantiser with the settings that fit the accelerator."""
    require_writable(output)
    # Imported here: what other commands do without.
    from wingrid.host.onnx_models.quantising import quantise_file

    write_whole(output, quantise_file(model, calibration))
