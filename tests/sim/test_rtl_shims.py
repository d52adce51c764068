"""The stand-ins for zlib and LZ4 that let waves be written without their headers."""

from __future__ import annotations

import ctypes
import random
import subprocess
import zlib
from pathlib import Path

import pytest

from wingrid.sim.rtl import build

SOURCE = """
#include <lz4.h>
#include <zlib.h>
extern "C" unsigned long deflate_bound(unsigned long size) { return compressBound(size); }
extern "C" int deflate(unsigned char* to, unsigned long* room, const unsigned char* from, unsigned long size) {
    return compress2(to, room, from, size, 9);
}
extern "C" int lz4_bound(int size) { return LZ4_compressBound(size); }
extern "C" int lz4(const char* from, char* to, int size, int room) {
    return LZ4_compress_default(from, to, size, room);
}
"""


@pytest.fixture(scope="module")
def shims(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("shims")
    (folder / "shims.cpp").write_text(SOURCE)
    command = ["g++", "-std=gnu++20", "-Wall", "-Wextra", "-Werror", "-H", "-shared", "-fPIC", "-Wl,--no-undefined"]
    command += ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", f"-I{build.SHIMS}"]
    said = subprocess.run([*command, "-o", "shims.so", "shims.cpp"], cwd=folder, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    headers = [Path(line.split()[1]) for line in said.stderr.splitlines() if line.endswith(("/lz4.h", "/zlib.h"))]
    assert headers == [build.SHIMS / "lz4.h", build.SHIMS / "zlib.h"], "no header of the system"
    library = ctypes.CDLL(str(folder / "shims.so"))
    library.deflate_bound.restype = ctypes.c_ulong
    library.deflate_bound.argtypes = [ctypes.c_ulong]
    library.deflate.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_ulong), ctypes.c_char_p, ctypes.c_ulong]
    return library


def samples() -> list[bytes]:
    """Noise, runs and repeats around the formats' limits: literal counts, match lengths, offsets, block sizes."""
    generator = random.Random(5)
    made = [b"a" * size for size in (*range(50), 255, 270, 300, 65535, 65536, 70000)]
    made += [generator.randbytes(size) for size in (1, 12, 13, 15, 16, 269, 270, 65535, 65536, 131070, 131071)]
    for distance in (1, 3, 40, 65535, 65536):
        block = generator.randbytes(distance)
        made += [block + block, block + block + block[:7]]
        # A run of zeros between them, which leaves the compressor's memory of the first one alone.
        made += [block[:20] + bytes(distance - 20) + block[:20] + block[:20]] if distance > 20 else []
    made += [bytes(generator.choices(b"01", k=5000)), b"0123456789" * 900 + generator.randbytes(30)]
    return made


def lz4_decode(stream: bytes) -> bytes:
    """The LZ4 block format, read by its specification."""
    out = bytearray()
    at = 0

    def length(nibble: int) -> int:
        nonlocal at
        total = nibble
        while nibble == 15:
            total += stream[at]
            at += 1
            if stream[at - 1] != 255:
                break
        return total

    while True:
        token = stream[at]
        at += 1
        literals = length(token >> 4)
        out += stream[at : at + literals]
        at += literals
        if at == len(stream):
            assert literals >= 5 or len(out) == literals, "the last five bytes are literals"
            return bytes(out)
        start = len(out)
        offset = int.from_bytes(stream[at : at + 2], "little")
        at += 2
        assert 1 <= offset <= start
        count = length(token & 15) + 4
        for _ in range(count):
            out.append(out[-offset])


@pytest.mark.parametrize("data", samples(), ids=lambda data: f"{len(data)}-{zlib.crc32(data):08x}")
def test_streams_hold_the_data(shims: ctypes.CDLL, data: bytes) -> None:
    room = ctypes.c_ulong(shims.deflate_bound(len(data)))
    target = ctypes.create_string_buffer(room.value)
    assert shims.deflate(target, ctypes.byref(room), data, len(data)) == 0
    assert zlib.decompress(target.raw[: room.value]) == data

    target = ctypes.create_string_buffer(shims.lz4_bound(len(data)))
    size = shims.lz4(data, target, len(data), len(target))
    assert 0 < size <= len(target)
    assert lz4_decode(target.raw[:size]) == data


def test_repeating_data_shrink(shims: ctypes.CDLL) -> None:
    data = b"0123456789" * 10_000
    target = ctypes.create_string_buffer(shims.lz4_bound(len(data)))
    assert shims.lz4(data, target, len(data), len(target)) < len(data) // 100


def test_too_little_room_is_refused(shims: ctypes.CDLL) -> None:
    target = ctypes.create_string_buffer(4)
    assert shims.deflate(target, ctypes.byref(ctypes.c_ulong(4)), b"abcdef", 6) == -5
    assert shims.lz4(b"abcdef", target, 6, 4) == 0
