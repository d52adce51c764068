"""``wingrid quantize``: an int8 model of a float one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wingrid.host.commands.named_values import named_files, named_shapes
from wingrid.host.commands.options import JsonFile, Shapes
from wingrid.host.commands.progress import Bar
from wingrid.host.errors import UserError
from wingrid.host.files import write_whole
from wingrid.host.reports.output import Deliverables


def quantize(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="A float model.")],
    calibration: Annotated[
        list[str],
        typer.Option(
            "--calibration",
            metavar="[NAME=]SOURCE",
            help="Samples: an .npz, or a folder of pictures, .npy or .npz files; repeatable, by name of the input.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.onnx", help="The int8 model.")],
    method: Annotated[
        str, typer.Option("--method", metavar="M", help="Ranges of activations: minmax, entropy or percentile.")
    ] = "minmax",
    percentile: Annotated[
        float, typer.Option("--percentile", metavar="P", help="Per cent of values that a range holds.")
    ] = 99.99,
    mean: Annotated[
        str, typer.Option("--mean", metavar="M[,M,M]", help="Taken from pixels, which are 0 to 255.")
    ] = "0",
    scale: Annotated[
        str, typer.Option("--scale", metavar="S[,S,S]", help="Pixels are divided by it; 255 makes them 0 to 1.")
    ] = "255",
    layout: Annotated[
        str, typer.Option("--layout", metavar="L", help="Of an input that takes pictures: nchw or nhwc.")
    ] = "nchw",
    shape: Shapes = None,
    samples: Annotated[int | None, typer.Option("--samples", metavar="N", help="At most so many samples.")] = None,
    json: JsonFile = None,
) -> None:
    """Make a float ONNX model int8, by ONNX Runtime's quantiser with the settings that fit the accelerator.

    Tells how close its outputs and its worst layers come to the float model's, and how much of it the array will do.
    """
    deliverables = Deliverables(json, None, {"--output": output})
    sources, shapes = named_files(calibration, "--calibration"), named_shapes(shape)
    # Imported here: what other commands do without.
    from wingrid.host.onnx_models.calibrating import Method
    from wingrid.host.onnx_models.calibration_pictures import PictureForm
    from wingrid.host.onnx_models.quantisation_run import quantise_file
    from wingrid.host.reports.quantisation_report import as_json, footnotes, table

    form = PictureForm(_numbers("--mean", mean), _numbers("--scale", scale), layout)
    with Bar(model.name) as bar:
        result = quantise_file(
            model, sources, method=Method(method, percentile), form=form, shapes=shapes, limit=samples, listener=bar
        )
    write_whole(output, result.content)
    deliverables.hand_over(lambda: as_json(result), str, lambda: [table(result)], footnotes(result))


def _numbers(option: str, text: str) -> tuple[float, ...]:
    """One number, or three for three colours."""
    try:
        numbers = tuple(float(number) for number in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 3):
        raise UserError(f"{option} {text} is neither a number nor three with commas between them")
    return numbers
