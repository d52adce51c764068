"""What a bitstream is made of, and what is refused, without the tools that take minutes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wingrid.host.bitstreams import ulx3s
from wingrid.host.bitstreams.layout import LOADED, TOP
from wingrid.host.bitstreams.models import with_models
from wingrid.host.bitstreams.room import BLOCK_BYTES, SYSTEM, blocks_for, require_room, reserved
from wingrid.host.bitstreams.write_bitstream import LITEX, MEMORY, words, write_bitstream
from wingrid.host.errors import UserError
from wingrid.host.images.building import build_image
from wingrid.host.images.named_work import named_work
from wingrid.host.package.package import package_files
from wingrid.host.soc.hardware import by_litex
from wingrid.host.soc.job import job_for
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


def test_the_network_has_what_accelerator_and_processor_leave() -> None:
    require_room(160, CONFIG)
    with pytest.raises(UserError, match="take 161 block RAMs, and ulx3s has room for 160 of them"):
        require_room(161, CONFIG)


def test_the_networks_memory_is_reserved() -> None:
    work, inputs = named_work("digits", CONFIG)
    job = job_for(build_image(work, CONFIG), {name: value[None] for name, value in inputs.items()})
    assert (blocks_for(job) - 1) * BLOCK_BYTES < len(job.memory) <= blocks_for(job) * BLOCK_BYTES
    assert reserved(work, inputs, CONFIG) == {**SYSTEM, "memories": SYSTEM["memories"] + blocks_for(job)}


def test_a_folder_without_a_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no network for a SoC"):
        write_bitstream(tmp_path)
    assert not list(tmp_path.iterdir())


def test_models_come_with_the_cells_that_need_them() -> None:
    made = with_models("module m();\n  CCU2C c (\n  );\n  DP16KD #(\n  ) d (\n  );\nendmodule\n")
    assert re.findall(r"^module (\w+)", made, flags=re.M) == ["CCU2C", "DP16KD", "LUT2", "LUT4", "m"]
    assert "specify" not in made
