"""The binary file says what the manifest says, and a file that is not as it was written is refused."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from image_cases import built_in_case, digits_case
from layer_cases import SQUARE

from wingrid.host.errors import UserError
from wingrid.host.files import write_folder
from wingrid.host.images.binary import DamagedImage, checksum, require_sound, room_for
from wingrid.host.images.format import CHECKSUM_OFFSET, FORMAT, HEADER, STRUCTURES
from wingrid.host.images.image import Image
from wingrid.host.images.tensor_layout import TensorLayout
from wingrid.hw.registers import AGREEMENTS, readings

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture(scope="module")
def image() -> Image:
    return digits_case().image()


def test_tables_and_manifest_say_the_same(image: Image) -> None:
    contents, manifest = image.contents, image.manifest
    assert contents.file_bytes == len(image.binary) == manifest["file_bytes"]
    assert contents.memory_bytes == manifest["memory_bytes"]
    assert contents.readings == {
        int(register): (value, AGREEMENTS[register]) for register, value in readings(SQUARE).items()
    }
    assert len(contents.tensors) == len(manifest["tensors"])
    for tensor, described in zip(contents.tensors, manifest["tensors"], strict=True):
        layout = described["layout"]
        assert tensor.layout == TensorLayout(**{**layout, "channel_map": tuple(layout["channel_map"])})
        assert tensor.layout.fill == layout["fill"]
        assert (tensor.name, tensor.type.name.lower()) == (described["name"], described["type"])
        assert (tensor.offset, tensor.layout.bytes) == (described["offset"], described["bytes"])
        assert tensor.zero_point == described["zero_point"]
        assert tensor.scale == np.float32(described["scale"] or 0)
    entries = [step for step in manifest["steps"] if "entry" in step]
    names = [tensor.name for tensor in contents.tensors]
    for entry, described in zip(contents.entries, entries, strict=True):
        for name in ("program", "instructions", "cycles"):
            assert getattr(entry, name) == described[name]
        assert [names[index] for index in entry.inputs] == described["inputs"]
        assert [names[index] for index in entry.outputs] == described["outputs"]


def test_bytes_add_up_and_regions_lie_apart(image: Image) -> None:
    sizes = image.manifest["bytes"]
    stored = sizes["tables"] + sizes["instructions"] + sizes["weights"] + sizes["parameters"]
    assert stored <= len(image.binary) < stored + 4096 * (2 * len(image.manifest["layers"]) + 1)
    assert image.manifest["memory_bytes"] == -(-len(image.binary) // 4096) * 4096 + sizes["activations"]
    assert all(tensor.offset >= len(image.binary) for tensor in image.contents.tensors)


def test_what_is_written_is_what_is_read(image: Image, tmp_path: Path) -> None:
    write_folder(tmp_path, image.files())
    again = Image.load(tmp_path)
    assert again.binary == image.binary
    assert again.manifest == json.loads(json.dumps(image.manifest))
    assert again.segments == image.segments
    assert again.config == SQUARE
    assert again.timing == image.timing


def test_every_flipped_bit_is_noticed(image: Image) -> None:
    random = np.random.default_rng(7)
    for bit in [*range(8 * HEADER.dtype.itemsize), *random.integers(0, 8 * len(image.binary), 200)]:
        damaged = bytearray(image.binary)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedImage):
            require_sound(bytes(damaged), "x.bin")


def resealed(file: bytes, name: str, number: int) -> bytes:
    """The file with another number in its header, and the checksum that goes with it."""
    header = np.frombuffer(file[: HEADER.dtype.itemsize], HEADER.dtype).copy()
    header[name] = number
    changed = bytearray(header.tobytes() + file[HEADER.dtype.itemsize :])
    changed[CHECKSUM_OFFSET : CHECKSUM_OFFSET + 4] = checksum(changed).to_bytes(4, "little")
    return bytes(changed)


def test_refusals(image: Image, tmp_path: Path) -> None:
    for file, message in (
        (b"short", "x.bin is no image for the accelerator: it is too short"),
        (resealed(image.binary, "magic", 5), "x.bin is no image for the accelerator"),
        (resealed(image.binary, "format", 9 << 16), f"x.bin has format 9.0, and {FORMAT[0]}.{FORMAT[1]} is known here"),
        (image.binary[:-1], f"x.bin has {len(image.binary) - 1} bytes and should have {len(image.binary)}"),
        (image.binary[:-1] + b"!", "x.bin is damaged: its checksum is not that of its content"),
    ):
        with pytest.raises(DamagedImage, match=f"^{re.escape(message)}$"):
            require_sound(file, "x.bin")
    with pytest.raises(UserError, match=r"^cannot read .*image\.bin: No such file or directory$"):
        Image.load(tmp_path)
    write_folder(tmp_path, image.files())
    segment = next(iter(image.segments))
    (tmp_path / segment).write_bytes(b"something else")
    with pytest.raises(DamagedImage, match=rf"^.*{segment} is not the file that .*image\.json goes with$"):
        Image.load(tmp_path)
    (tmp_path / "image.json").write_text("[]")
    with pytest.raises(DamagedImage, match=r"^.*image\.json is no manifest of an image$"):
        Image.load(tmp_path)


def test_small_regions_stay_within_a_page_and_large_ones_begin_one() -> None:
    assert room_for(4090, 4, 4) == 4092
    assert room_for(4090, 8, 4) == 4096
    assert room_for(100, 5000, 4) == 4096
    assert room_for(4096, 5000, 4) == 4096
    for offset in range(0, 9000, 13):
        start = room_for(offset, 700, 16)
        assert start % 16 == 0
        assert start // 4096 == (start + 699) // 4096


def test_every_register_of_constants_has_a_rule() -> None:
    assert set(AGREEMENTS) == set(readings(SQUARE))


def test_the_guide_has_every_member_of_every_structure() -> None:
    guide = (DOCS / "image.md").read_text()
    for structure in STRUCTURES:
        table = guide.split(f"`{structure.name}`", 1)[1].split("\n\n", 2)[1]
        assert re.findall(r"^\| `(\w+)` \|", table, flags=re.M) == [member.name for member in structure.members]


def test_equal_networks_give_equal_images() -> None:
    assert built_in_case("vgg16").image().files() == built_in_case("vgg16").image().files()


def test_a_layout_with_another_fill_is_the_same_layout(image: Image) -> None:
    layout = image.contents.tensors[0].layout
    assert dataclasses.replace(layout, fill=5) == layout
