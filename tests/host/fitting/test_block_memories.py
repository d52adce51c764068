"""Memory blocks as predicted are those that synthesis took, and buffers are those that the hardware has."""

from collections import Counter

import pytest
from amaranth.hdl import Fragment, Shape
from amaranth.hdl._mem import MemoryInstance

from wingrid.host.fitting.block_memories import blocks, buffer_blocks
from wingrid.host.silicon import area_points
from wingrid.hw.accelerator import Accelerator
from wingrid.hw.block_memory import SLICE_BITS, WIDE_ENTRIES
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.ram_style import RamStyle

POINTS = area_points.read()


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.family}-{point.config.rows}x{point.config.cols}")
def test_blocks_are_those_of_the_netlist(point: area_points.AreaPoint) -> None:
    assert buffer_blocks(point.config, point.family) == point.counts["memories"]


@pytest.mark.parametrize(
    "config",
    [
        AcceleratorConfig(rows=2, cols=3, winograd=0, weight_buffer=96),
        AcceleratorConfig(rows=3, cols=2, winograd=4, weight_buffer=600, accumulators=75),
    ],
    ids=["direct", "winograd"],
)
def test_buffers_are_the_block_memories_of_the_hardware(config: AcceleratorConfig) -> None:
    widths: Counter[tuple[str, str]] = Counter()
    depths: dict[tuple[str, str], int] = {}

    def look(fragment: Fragment, path: str) -> None:
        if isinstance(fragment, MemoryInstance) and fragment._attrs.get("ram_style") == RamStyle.BLOCK.value:
            data = fragment._data
            size = (data.depth, Shape.cast(data.shape).width)
            *folder, name = path.split(".")
            part = name
            if name.startswith("bits_"):
                assert size[0] > WIDE_ENTRIES or size[1] <= SLICE_BITS
                *folder, part = folder
            # Slices lie side by side, and parts one above the other.
            whole = ".".join(folder if part in ("lower", "upper") else [*folder, part])
            widths[whole, part] += size[1]
            depths[whole, part] = size[0]
        for inner, name, _ in fragment.subfragments:
            look(inner, f"{path}.{name}")

    look(Fragment.get(Accelerator(config), None), "")
    found = Counter(
        (sum(depth for (name, _), depth in depths.items() if name == whole), widths[whole, part])
        for whole, part in widths
        if part != "upper"
    )
    assert found == Counter(config.block_memories.values())


def test_a_rest_beyond_a_power_of_two_takes_blocks_of_its_own() -> None:
    # 4,096 entries of four bits fill a block of 4,096 x 4; the one entry beyond takes another.
    assert blocks(4096, 4, "ecp5") == 1
    assert blocks(4097, 4, "ecp5") == 2


def test_shallow_words_are_cut_into_slices() -> None:
    # 256 entries of 40 bits: two slices of 16 bits and one of eight, or two blocks of 36 bits.
    assert blocks(256, 40, "ecp5") == 3
    assert blocks(256, 40, "ecp5", sliced=False) == 2
    assert blocks(1024, 40, "ecp5") == blocks(1024, 40, "ecp5", sliced=False) == 3
