"""Each half of the DMA held against its model in every cycle; what its streams take is all that the model knows."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from bus_partner import FaultyMemory
from cocotb.handle import HierarchyObject
from dma_work import LoadedBeat, bursts, loaded_beats, placed_lines, unpack_fields

from hw import axi
from hw.config import AXI_PAGE_BYTES, AcceleratorConfig
from hw.fetch_engine import dispatched
from hw.isa import Load, Semaphore
from hw.output_buffer import SEGMENT
from hw.read_master import READ_REQUEST, read_beat


class AddressChannel:
    """AR or AW: what AXI asks of every burst, and that none changes or goes away until it is taken."""

    def __init__(self, dut: HierarchyObject, config: AcceleratorConfig, name: str) -> None:
        self._config = config
        fields = ("id", "addr", "len", "size", "burst", "cache", "prot")
        self._fields = {field: getattr(dut, f"m_axi_{name}{field}") for field in fields}
        self._valid, self._ready = getattr(dut, f"m_axi_{name}valid"), getattr(dut, f"m_axi_{name}ready")
        self._held: dict[str, int] | None = None

    def new_burst(self) -> list[int] | None:
        """The beat addresses of a burst that is offered for the first time in this cycle."""
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
        return list(range(values["addr"], values["addr"] + beats * bus, bus))


@dataclass(frozen=True)
class FetchedBeat:
    """A beat for the fetch engine."""

    address: int
    last: bool
    final: bool


class Reading:
    """Load engine and read master. ``observe`` looks at a cycle once all its signals have settled."""

    def __init__(self, dut: HierarchyObject, config: AcceleratorConfig, memory: FaultyMemory) -> None:
        self._dut, self._config, self._memory = dut, config, memory
        self._addresses = AddressChannel(dut, config, "ar")
        self._beat = read_beat(config)
        self._to_request: deque[list[LoadedBeat]] = deque()
        self._fetched: list[FetchedBeat] | None = None
        self._may_request = self._load_turn = False
        self._open: deque[deque[LoadedBeat | FetchedBeat]] = deque()
        self._due: LoadedBeat | FetchedBeat | None = None
        self._unwritten = 0
        self._cycle = 0
        self.available = [0] * len(Semaphore)
        self.most_open = 0
        self.started: list[int] = []
        self.offered: list[int] = []
        self.written: list[int] = []
        self.errors: list[int] = []
        self.fetch_errors = 0

    @property
    def open(self) -> int:
        """Bursts offered on AR whose last beat has not come."""
        return len(self._open)

    @property
    def done(self) -> bool:
        return not (self._unwritten or self._open or self._due or self._fetched)

    def observe(self) -> None:
        self._check_burst()
        assert int(self._dut.read_idle.value) == (not self._open and self._due is None)
        assert int(self._dut.load_idle.value) == (self._unwritten == 0)
        self._check_arrival()
        self._take_beat()
        self._take_requests()
        self._cycle += 1

    def _check_burst(self) -> None:
        """A burst appears a cycle after it was taken, the fetch engine's first."""
        burst, fetched = self._addresses.new_burst(), self._fetched
        self._fetched = None
        if burst is None:
            assert fetched is None, "a fetch is missing on the bus"
            return
        assert self._may_request, "a new burst in spite of halt"
        if fetched is None:
            assert self._load_turn, "a load went before a fetch"
            assert self._to_request, "surplus burst"
        expected = self._to_request.popleft() if fetched is None else fetched
        assert burst == [beat.address for beat in expected]
        self._open.append(deque(expected))
        self.offered.append(self._cycle)
        self.most_open = max(self.most_open, len(self._open))
        assert len(self._open) <= self._config.reads_in_flight

    def _check_arrival(self) -> None:
        """What left the bus a cycle ago is now at its reader; otherwise nothing is."""
        dut, due = self._dut, self._due
        enable, signal, error = (int(port.value) for port in (dut.write_enable, dut.signal, dut.read_error))
        fetched = unpack_fields(self._beat, int(dut.fetch_beat.value))
        failed = due is not None and self._memory.fails(due.address, self._config.bus_bytes)
        if isinstance(due, LoadedBeat):
            assert (enable, int(dut.write_address.value), signal) == (1 << due.buffer, due.entry, due.signal)
            assert failed or int(dut.write_data.value) == self._content(due.address)
            assert error == failed
            if error:
                assert int(dut.read_error_pc.value) == due.pc
                self.errors.append(due.pc)
            self.written.append(self._cycle)
            self._unwritten -= 1
        else:
            assert (enable, signal, error) == (0, 0, 0)
        if isinstance(due, FetchedBeat):
            flags = tuple(fetched[name] for name in ("valid", "last", "final", "error"))
            assert flags == (1, due.last, due.final, failed)
            assert failed or fetched["data"] == self._content(due.address)
            self.fetch_errors += failed
        else:
            assert not fetched["valid"], "surplus beat for the fetch engine"
        self._due = None

    def _content(self, address: int) -> int:
        return int.from_bytes(self._memory.mem[address : address + self._config.bus_bytes], "little")

    def _take_beat(self) -> None:
        """There is no back-pressure: what is valid on R is taken."""
        assert int(self._dut.m_axi_rready.value) == 1
        if int(self._dut.m_axi_rvalid.value):
            self._due = self._open[0].popleft()
            if not self._open[0]:
                self._open.popleft()

    def _take_requests(self) -> None:
        dut, halt = self._dut, int(self._dut.halt.value)
        self._may_request, self._load_turn = not halt, not int(dut.fetch__valid.value)
        if int(dut.fetch__valid.value) and int(dut.fetch__ready.value):
            request = unpack_fields(READ_REQUEST, int(dut.fetch__payload.value))
            last = request["beats_less_one"]
            self._fetched = [
                FetchedBeat(request["address"] + index * self._config.bus_bytes, index == last, bool(request["final"]))
                for index in range(last + 1)
            ]
        taken = 0
        if int(dut.instruction__valid.value) and int(dut.instruction__ready.value):
            assert not halt, "an instruction started in spite of halt"
            word = int(dut.instruction__payload.value)
            made = loaded_beats(self._config, word)
            self._to_request.extend(made)
            self._unwritten += sum(map(len, made))
            self.started.append(self._cycle)
            instruction = unpack_fields(dispatched(Load), word)["instruction"]
            taken = unpack_fields(Load.layout(), instruction)["wait"]
        assert int(dut.take.value) == taken
        assert not taken & ~int(dut.available.value), "an instruction started without its semaphores"
        for semaphore in Semaphore:
            self.available[semaphore] -= taken >> semaphore & 1


class Writing:
    """Output buffer and write master; keeps the memory as it must be when all is written."""

    def __init__(self, dut: HierarchyObject, config: AcceleratorConfig, memory: FaultyMemory) -> None:
        self._dut, self._config, self._memory = dut, config, memory
        self._addresses = AddressChannel(dut, config, "aw")
        self._placing: deque[tuple[dict[str, int], list[int]]] = deque()
        self._to_write: deque[tuple[list[int], list[int], int]] = deque()
        self._sending: deque[int] = deque()
        self._unanswered: deque[tuple[list[int], int]] = deque()
        self._may_start = False
        self.image = np.frombuffer(memory.mem, np.uint8).copy()
        self.wanted = 0
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
            self.wanted += self._results(segment)
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
