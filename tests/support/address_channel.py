"""What every burst on AR or AW must look like."""

from __future__ import annotations

from cocotb.handle import HierarchyObject

from wingrid.hw.bus import axi
from wingrid.hw.config import AXI_PAGE_BYTES, AcceleratorConfig


class AddressChannel:
    """AR or AW: what AXI asks of every burst, and that none changes or goes away until it is taken.

    ``base`` is the address on the bus that programs count from.
    """

    def __init__(self, dut: HierarchyObject, config: AcceleratorConfig, name: str, base: int) -> None:
        self._config = config
        self._base = base
        fields = ("id", "addr", "len", "size", "burst", "cache", "prot")
        self._fields = {field: getattr(dut, f"m_axi_{name}{field}") for field in fields}
        self._valid, self._ready = getattr(dut, f"m_axi_{name}valid"), getattr(dut, f"m_axi_{name}ready")
        self._held: dict[str, int] | None = None

    def new_burst(self) -> list[int] | None:
        """The beats of a burst that is offered for the first time in this cycle, as a program addresses them."""
        if not int(self._valid.value):
            assert self._held is None, "a burst went away before it was taken"
            return None
        values = {name: int(handle.value) for name, handle in self._fields.items()}
        known, self._held = self._held, None if int(self._ready.value) else values
        if known is not None:
            assert values == known, "a burst changed before it was taken"
            return None
        bus, beats = self._config.bus_bytes, values["len"] + 1
        constants = {"id": 0, "burst": axi.BURST_INCREMENTING, "cache": axi.CACHE_NORMAL_BUFFERABLE, "prot": 0}
        assert {name: values[name] for name in constants} == constants
        assert 1 << values["size"] == bus
        assert values["addr"] % bus == 0
        assert beats <= self._config.burst_beats
        assert values["addr"] // AXI_PAGE_BYTES == (values["addr"] + beats * bus - 1) // AXI_PAGE_BYTES
        first = (values["addr"] - self._base) % (1 << self._config.address_bits)
        return list(range(first, first + beats * bus, bus))
