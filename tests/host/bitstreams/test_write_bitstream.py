"""What a bitstream is made of, and what is refused, without the tools that take minutes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wingrid.host.bitstreams import ulx3s
from wingrid.host.bitstreams.layout import LOADED, TOP
from wingrid.host.bitstreams.models import with_models
from wingrid.host.bitstreams.write_bitstream import BLOCK_BYTES, LITEX, MEMORY, require_room, words, write_bitstream
from wingrid.host.errors import UserError
from wingrid.host.package.package import package_files
from wingrid.host.soc.hardware import by_litex
from wingrid.hw.config import AcceleratorConfig

CONFIG = AcceleratorConfig.load(Path(__file__).parents[3] / "configs" / "ulx3s-4x4.toml")


def test_the_boards_module_has_its_pins_and_reads_its_memories() -> None:
    text, _ = by_litex(LITEX, TOP, package_files(CONFIG), MEMORY, 3 * BLOCK_BYTES)
    ports = re.findall(r"^ +(?:input|output) +(?:wire|reg) +(\w+),?$", text.partition(");")[0], flags=re.M)
    assert sorted(ports) == sorted(ulx3s.PINS)
    assert re.findall(r'\$readmemh\("(\w+)\.hex", (\w+)\)', text) == [(name, name) for name in LOADED]
    assert f"main_ram[0:{3 * BLOCK_BYTES // CONFIG.bus_bytes - 1}]" in text


def test_the_constraints_name_every_pin() -> None:
    lines = ulx3s.constraints().splitlines()
    assert 'FREQUENCY PORT "clk" 25 MHZ;' in lines
    for port, ball in ulx3s.PINS.items():
        assert f'LOCATE COMP "{port}" SITE "{ball}";' in lines
        assert f'IOBUF PORT "{port}" IO_TYPE=LVCMOS33;' in lines


def test_bits_are_a_whole_number_of_cycles() -> None:
    assert ulx3s.HERTZ % ulx3s.BAUD == 0


def test_words_begin_with_the_lowest_byte() -> None:
    assert words(bytes([1, 2, 3, 4, 5]), 4) == b"04030201\n00000005\n"


def test_a_memory_takes_whole_blocks() -> None:
    assert require_room(1) == require_room(BLOCK_BYTES) == BLOCK_BYTES


def test_what_has_no_room_is_refused() -> None:
    with pytest.raises(UserError, match="take 400000 bytes, and ulx3s has block RAM for 333824"):
        require_room(400_000)


def test_a_folder_without_a_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no network for a SoC"):
        write_bitstream(tmp_path)
    assert not list(tmp_path.iterdir())


def test_models_come_with_the_cells_that_need_them() -> None:
    made = with_models("module m();\n  CCU2C c (\n  );\n  DP16KD #(\n  ) d (\n  );\nendmodule\n")
    assert re.findall(r"^module (\w+)", made, flags=re.M) == ["CCU2C", "DP16KD", "LUT2", "LUT4", "m"]
    assert "specify" not in made
