"""Boards: their chips are targets, and their memories are what a clock makes of them."""

import pytest

from wingrid.host.errors import UserError
from wingrid.host.silicon import board
from wingrid.sim.memory import MemoryTiming


@pytest.mark.parametrize("name", board.built_in())
def test_every_board_has_a_chip_and_a_memory(name: str) -> None:
    target, found = board.find_place(name)
    assert found is not None
    assert target.name == found.chip
    memory = found.memory(100, 16)
    memory.check(16)
    assert memory.latency == round(found.latency_ns / 10)


def test_memory_is_the_least_of_pins_port_and_bus() -> None:
    _, ulx3s = board.find_place("ulx3s")
    _, kv260 = board.find_place("kv260")
    assert ulx3s is not None
    assert kv260 is not None
    assert ulx3s.memory(80, 8) == MemoryTiming(12, 3)  # 266 MB/s at 80 MHz: 3.3 bytes
    assert ulx3s.memory(50, 8) == MemoryTiming(8, 4)  # 5.3 bytes, and the port has 4
    assert kv260.memory(100, 8) == MemoryTiming(30, 8)  # 192 bytes, and the bus has 8


def test_a_chip_has_no_board_and_a_wrong_name_is_told_both() -> None:
    target, none = board.find_place("ecp5-25k")
    assert (target.name, none) == ("ecp5-25k-6", None)
    with pytest.raises(UserError, match=r"unknown target 'ulx4s'.*boards are ulx3s, orangecrab"):
        board.find_place("ulx4s")
