"""The reading half of the DMA held against its model; what its streams take is all that the model knows."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from address_channel import AddressChannel
from bus_partner import FaultyMemory
from cocotb.handle import HierarchyObject
from dma_work import LoadedBeat, loaded_beats, unpack_fields

from wingrid.hw.bus.read_master import read_beat, read_request
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.fetch_engine import dispatched
from wingrid.hw.isa import Load, Semaphore
from wingrid.hw.layouts import layout_of


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
        self._addresses = AddressChannel(dut, config, "ar", memory.base)
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
            request = unpack_fields(read_request(self._config), int(dut.fetch__payload.value))
            first, last = request["address"] - self._memory.base, request["beats_less_one"]
            final = bool(request["final"])
            self._fetched = [
                FetchedBeat(first + index * self._config.bus_bytes, index == last, index == last and final)
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
            taken = unpack_fields(layout_of(Load), instruction)["wait"]
        assert int(dut.take.value) == taken
        assert not taken & ~int(dut.available.value), "an instruction started without its semaphores"
        for semaphore in Semaphore:
            self.available[semaphore] -= taken >> semaphore & 1
