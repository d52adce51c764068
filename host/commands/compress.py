"""``wingrid compress``: an int8 model with fewer weights and fewer values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wingrid.host.commands.named_values import named_files, named_shapes
from wingrid.host.commands.options import CsvFile, JsonFile, Shapes
from wingrid.host.commands.progress import Bar
from wingrid.host.errors import UserError
from wingrid.host.files import write_whole
from wingrid.host.networks.built_in import ONNX_BUILT_IN
from wingrid.host.reports.output import Deliverables

MOST_INDEX_BITS = 16


def compress(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="An int8 model, or the name of a built-in one.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.onnx", help="The compressed model.")],
    density: Annotated[
        list[str] | None,
        typer.Option(
            "--density",
            metavar="[LAYER=]D",
            help="Share of weights that stay, the largest ones: of all layers, of conv or fc, or of one; repeatable.",
        ),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--values",
            metavar="[LAYER=]N",
            help="Values, but zero, that a layer's weights may have, int8 codes; repeatable like --density.",
        ),
    ] = None,
    calibration: Annotated[
        list[str] | None,
        typer.Option(
            "--calibration",
            metavar="[NAME=]SOURCE",
            help="Samples to compare on: an .npz, or a folder of pictures, .npy or .npz files; repeatable, by input.",
        ),
    ] = None,
    index_bits: Annotated[
        int, typer.Option("--index-bits", metavar="N", help="Of the relative index that sizes are told for.")
    ] = 5,
    shape: Shapes = None,
    samples: Annotated[int | None, typer.Option("--samples", metavar="N", help="At most so many samples.")] = None,
    json: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """Prune an int8 ONNX model's smallest weights, and let the others share few values.

    What comes out is an ordinary model. Sizes are told by layer and stage; with samples, also how close its outputs
    stay to the model's as it was, and how sensitive each layer is.
    """
    deliverables = Deliverables(json, csv, {"--output": output})
    sources, shapes = named_files(calibration or [], "--calibration"), named_shapes(shape)
    if not 1 <= index_bits <= MOST_INDEX_BITS:
        raise UserError(f"--index-bits {index_bits} must lie between 1 and {MOST_INDEX_BITS}")
    if samples is not None and not sources:
        raise UserError("--samples needs --calibration")
    # Imported here: what other commands do without.
    from wingrid.host.compression.compression_report import as_csv, as_json, footnotes, table
    from wingrid.host.compression.model_compression import Wanted, compress_file
    from wingrid.host.compression.settings import densities, value_counts
    from wingrid.host.onnx_models.bundled import bundled_model

    wanted = Wanted(densities(density or []), value_counts(values or []), index_bits)
    path = bundled_model(str(model)) if str(model) in ONNX_BUILT_IN else model
    with Bar(path.name) as bar:
        result = compress_file(path, wanted, sources, bar, shapes=shapes, limit=samples)
    write_whole(output, result.content)
    deliverables.hand_over(lambda: as_json(result), lambda: as_csv(result), lambda: [table(result)], footnotes(result))
