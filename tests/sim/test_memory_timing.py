"""The parameters of the memory's timing rule."""

from __future__ import annotations

import re

import pytest

from wingrid.sim.memory import Bridge, Dram, MemoryTiming, memory_names, named_memory


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latency", 0),
        ("latency", 1.5),
        ("latency", 1 << 31),
        ("latency", True),
        ("bytes_per_cycle", 0),
        ("write_latency", 0),
    ],
)
def test_values_that_cannot_work_are_refused(field: str, value: object) -> None:
    message = f"memory timing {field} = {value!r} must be a whole number from 1 to 2147483647"
    with pytest.raises(ValueError, match=re.escape(message)):
        MemoryTiming(**{field: value})


def test_a_bus_narrower_than_the_memory_is_refused() -> None:
    MemoryTiming(bytes_per_cycle=8).check(8)
    message = "memory timing bytes_per_cycle = 9 must lie between 1 and the bus width of 8 bytes"
    with pytest.raises(ValueError, match=re.escape(message)):
        MemoryTiming(bytes_per_cycle=9).check(8)


def test_default_follows_a_narrow_bus() -> None:
    assert MemoryTiming.for_bus(4) == MemoryTiming(40, 4)
    assert MemoryTiming.for_bus(64) == MemoryTiming(40, 16)


def test_bus_cycles_round_up_over_the_whole_burst() -> None:
    timing = MemoryTiming(bytes_per_cycle=3)
    assert [timing.bus_cycles(beats, 4) for beats in range(1, 5)] == [2, 3, 4, 6]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"banks": 0}, "DRAM banks = 0 must be a whole number from 1 to 2147483647"),
        ({"row_miss": -1}, "DRAM row_miss = -1 must be a whole number from 0 to 2147483647"),
        ({"refresh_interval": 1.5}, "DRAM refresh_interval = 1.5 must be a whole number from 1 to 2147483647"),
        ({"row_bytes": 2048}, "DRAM row_bytes = 2048 must be a power of two from 4096 to 1073741824"),
        ({"row_bytes": 1 << 32}, "DRAM row_bytes = 4294967296 must be a power of two from 4096 to 1073741824"),
        ({"row_bytes": 12288}, "DRAM row_bytes = 12288 must be a power of two from 4096 to 1073741824"),
        (
            {"refresh_interval": 9, "refresh_cycles": 9},
            "DRAM refresh_cycles = 9 must be less than refresh_interval = 9",
        ),
    ],
)
def test_a_dram_that_cannot_work_is_refused(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Dram(**fields)


@pytest.mark.parametrize("field", ["read_beat", "write_beat"])
def test_a_bridge_that_cannot_work_is_refused(field: str) -> None:
    message = f"bridge {field} = 0 must be a whole number from 1 to 2147483647"
    with pytest.raises(ValueError, match=re.escape(message)):
        Bridge(**{"read_beat": 1, "write_beat": 1, field: 0})
    with pytest.raises(ValueError, match="memory timing dram and bridge exclude each other"):
        MemoryTiming(bridge=Bridge(1, 1), dram=Dram())


def test_memories_have_names() -> None:
    assert memory_names() == ["ideal", "litex-axi", "litex-wishbone"]
    assert named_memory("ideal", 4) == MemoryTiming(1, 4)
    assert named_memory("ideal", 64) == MemoryTiming(1, 64)
    assert named_memory("litex-axi", 4) == MemoryTiming(3, 2, bridge=Bridge(3, 2))
    assert named_memory("litex-wishbone", 4) == MemoryTiming(4, 1, write_latency=3, bridge=Bridge(4, 4))
    for name in memory_names():
        for bus_bytes in (4, 8, 16, 32, 64):
            named_memory(name, bus_bytes).check(bus_bytes)
    with pytest.raises(ValueError, match=r"^unknown memory 'fast'; there are ideal, litex-axi, litex-wishbone$"):
        named_memory("fast", 4)
