"""The parameters of the memory's timing rule."""

from __future__ import annotations

import re

import pytest

from wingrid.sim.memory import Dram, MemoryTiming


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
