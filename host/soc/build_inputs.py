"""What a SoC is made of: an accelerator's package and a network's image in one folder, with samples to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.files import require_folder, write_folder
from wingrid.host.images.building import build_image
from wingrid.host.images.image import MANIFEST, Image
from wingrid.host.images.named_work import expected_outputs, named_work
from wingrid.host.images.samples import as_npz, read_npz
from wingrid.host.onnx_models.sizes import Sizes
from wingrid.host.package.package import package_files
from wingrid.host.soc.layout import EXPECTED, HARDWARE, IMAGE, INPUTS, OUTPUTS
from wingrid.hw.config import AcceleratorConfig

PACKAGED = ("wingrid.v", "wingrid.json", "wingrid_litex.py")
"""What the SoC takes of the package."""


@dataclass(frozen=True)
class BuildInputs:
    """The content of such a folder."""

    image: Image
    hardware: Mapping[str, bytes] = field(repr=False)
    """The files ``PACKAGED``."""
    inputs: Mapping[str, npt.NDArray] = field(repr=False)
    """The samples, [N, ...] by the input's name."""
    outputs: Mapping[str, npt.NDArray] = field(repr=False)
    """What each must give, [N, ...] by the output's name: ONNX Runtime's bits, or golden's of a built-in network."""

    @property
    def samples(self) -> int:
        return len(next(iter(self.inputs.values())))

    @classmethod
    def load(cls, directory: Path) -> BuildInputs:
        """Read a folder that ``write_build_inputs`` wrote. Raises ``UserError`` for what is none, or is damaged."""
        if not (directory / IMAGE / MANIFEST).is_file():
            raise UserError(f"{directory} holds no network for a SoC: there is no {IMAGE}/{MANIFEST} in it")
        image = Image.load(directory / IMAGE)
        hardware = {name: _read(directory / HARDWARE / name) for name in PACKAGED}
        inputs, outputs = read_npz(directory / INPUTS), read_npz(directory / OUTPUTS)
        for file, arrays, wanted in (
            (INPUTS, inputs, list(image.manifest["inputs"])),
            (OUTPUTS, outputs, image.manifest["outputs"]),
        ):
            if sorted(arrays) != sorted(wanted):
                raise UserError(f"{directory / file} holds {', '.join(arrays) or 'nothing'}, not {', '.join(wanted)}")
        counts = {len(array) if array.ndim else 0 for array in (*inputs.values(), *outputs.values())}
        if len(counts) != 1 or not counts.pop():
            raise UserError(
                f"{directory / INPUTS} and {OUTPUTS} do not hold as many samples of everything, one at least"
            )
        for name, told in image.manifest["inputs"].items():
            given = inputs[name]
            if str(given.dtype) != told["type"] or list(given.shape[1:]) != told["shape"]:
                raise UserError(
                    f"{directory / INPUTS}: samples of {name} must be {told['type']} {told['shape']}, "
                    f"not {given.dtype} {list(given.shape[1:])}"
                )
        return cls(image, hardware, inputs, outputs)


def write_build_inputs(directory: Path, network: str, config: AcceleratorConfig, *, samples: int = 1) -> None:
    """Write a network with as many of its typical inputs, and the accelerator for it, into a folder.

    Raises ``UserError`` for what cannot be; then nothing is written.
    """
    require_folder(directory)
    if samples < 1:
        raise UserError(f"{samples} images must be at least 1")
    work, typical = named_work(network, config)
    _, several = named_work(network, config, sizes=Sizes({}, samples)) if samples > 1 else (work, typical)
    inputs = {name: several[name].reshape(samples, *value.shape) for name, value in typical.items()}
    given = [{name: value[sample] for name, value in inputs.items()} for sample in range(samples)]
    expected = [expected_outputs(network, config, sample) for sample in given]
    image = build_image(work, config)
    package = package_files(config)
    outputs = {name: np.stack([np.asarray(each[name]) for each in expected]) for name in image.manifest["outputs"]}
    write_folder(directory / HARDWARE, package)
    write_folder(directory / IMAGE, image.files())
    samples_of = {INPUTS: as_npz(inputs), OUTPUTS: as_npz(outputs)}
    write_folder(directory / EXPECTED, {Path(name).name: content for name, content in samples_of.items()})


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
