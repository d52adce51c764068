"""The writing half of the DMA held against its model; what its streams take is all that the model knows."""

from __future__ import annotations

from collections import deque

import numpy as np
from address_channel import AddressChannel
from bus_partner import FaultyMemory
from cocotb.handle import HierarchyObject
from dma_work import bursts, placed_lines, unpack_fields

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.store.output_buffer import SEGMENT


class Writing:
    """Output buffer and write master. ``observe`` looks at a cycle once all its signals have settled.

    ``image`` is the memory as it must be when all is written.
    """

    def __init__(self, dut: HierarchyObject, config: AcceleratorConfig, memory: FaultyMemory) -> None:
        self._dut, self._config, self._memory = dut, config, memory
        self._addresses = AddressChannel(dut, config, "aw", memory.base)
        self._placing: deque[tuple[dict[str, int], list[int]]] = deque()
        self._to_write: deque[tuple[list[int], list[int], int]] = deque()
        self._sending: deque[int] = deque()
        self._unanswered: deque[tuple[list[int], int]] = deque()
        self._may_start = False
        self.image = np.frombuffer(memory.mem, np.uint8).copy()
        self.wanted = 0
        self._announced = 0
        self.most_open = 0
        self.errors: list[int] = []

    @property
    def open(self) -> int:
        """Bursts offered on AW that have not been answered."""
        return len(self._unanswered)

    @property
    def done(self) -> bool:
        return not (self._placing or self._to_write or self._unanswered)

    def observe(self) -> None:
        dut = self._dut
        # The first result comes two cycles after its segment or later.
        self.wanted += self._announced
        self._announced = 0
        self._check_burst()
        assert int(dut.placed.value) == (not self._placing)
        assert int(dut.write_quiet.value) == (not self._unanswered)
        if int(dut.placed.value) and int(dut.requested.value) and int(dut.write_idle.value):
            assert self.done, "idle too early"
        self._check_data()
        self._take_answer()
        self._take_result()
        if int(dut.segment__valid.value) and int(dut.segment__ready.value):
            segment = unpack_fields(SEGMENT, int(dut.segment__payload.value))
            self._placing.append((segment, []))
            self._announced = self._results(segment)
        self._may_start = not int(dut.halt.value)

    def _results(self, segment: dict[str, int]) -> int:
        return segment["tiles"] * (segment["last_offset"] + 1) ** 2

    def _check_burst(self) -> None:
        burst = self._addresses.new_burst()
        if burst is None:
            return
        assert self._may_start, "a new burst in spite of halt"
        assert not self._sending, "a burst began before the data of the one before had gone"
        assert self._to_write, "surplus burst, or one before its last result was in place"
        addresses, beats, pc = self._to_write.popleft()
        assert burst == addresses
        self._sending.extend(beats)
        self._unanswered.append((addresses, pc))
        self.most_open = max(self.most_open, len(self._unanswered))
        assert len(self._unanswered) <= self._config.writes_in_flight

    def _check_data(self) -> None:
        """From a burst's first cycle to its last beat WVALID stays high, and it is low in between."""
        dut = self._dut
        assert int(dut.m_axi_wvalid.value) == bool(self._sending)
        if not self._sending:
            return
        strobes = (1 << self._config.bus_bytes) - 1
        seen = tuple(int(port.value) for port in (dut.m_axi_wdata, dut.m_axi_wstrb, dut.m_axi_wlast))
        assert seen == (self._sending[0], strobes, len(self._sending) == 1)
        if int(dut.m_axi_wready.value):
            self._sending.popleft()

    def _take_answer(self) -> None:
        dut, failed = self._dut, False
        assert int(dut.m_axi_bready.value) == 1
        if int(dut.m_axi_bvalid.value):
            addresses, pc = self._unanswered.popleft()
            failed = self._fails(addresses)
            if failed:
                assert int(dut.write_error_pc.value) == pc
                self.errors.append(pc)
        assert int(dut.write_error.value) == failed

    def _fails(self, addresses: list[int]) -> bool:
        return any(self._memory.fails(address, self._config.bus_bytes) for address in addresses)

    def _take_result(self) -> None:
        word = int(self._dut.results.value)
        if not word & 1:
            return
        segment, results = self._placing[0]
        results.append(word >> 1)
        if len(results) < self._results(segment):
            return
        self._placing.popleft()
        for start, beats in placed_lines(segment, results, self._config.bus_bytes):
            left = deque(beats)
            for addresses in bursts(self._config, start, len(beats)):
                burst = [left.popleft() for _ in addresses]
                self._to_write.append((addresses, burst, segment["pc"]))
                for address, beat in zip(addresses, burst, strict=True):
                    if not self._memory.fails(address, self._config.bus_bytes):
                        content = beat.to_bytes(self._config.bus_bytes, "little")
                        self.image[address : address + len(content)] = np.frombuffer(content, np.uint8)
