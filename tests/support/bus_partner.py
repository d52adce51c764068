"""What turns cocotbext-axi's slave into an unpleasant partner: random pauses and bytes that answer with errors."""

from __future__ import annotations

import random
from collections.abc import Iterator

from cocotbext.axi import AxiSlave, MemoryRegion


class FaultyMemory(MemoryRegion):
    """Memory in which chosen bytes answer with an error (cocotbext-axi turns exceptions into SLVERR)."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.bad: range = range(0)

    def fails(self, address: int, length: int) -> bool:
        """Whether an access to these bytes is answered with an error."""
        return max(address, self.bad.start) < min(address + length, self.bad.stop)

    def _check(self, address: int, length: int) -> None:
        if self.fails(address, length):
            raise ValueError("injected error")

    async def _read(self, address: int, length: int, **options: object) -> bytes:
        self._check(address, length)
        return await super()._read(address, length, **options)

    async def _write(self, address: int, data: bytes, **options: object) -> None:
        self._check(address, len(data))
        await super()._write(address, data, **options)


def stall(slave: AxiSlave, seed: int, probability: float) -> None:
    """Pause each of the five AXI channels at random."""
    write, read = slave.write_if, slave.read_if
    channels = (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel)
    for index, channel in enumerate(channels):
        channel.set_pause_generator(_coins(seed * 10 + index, probability))


def _coins(seed: int, probability: float) -> Iterator[bool]:
    coin = random.Random(seed)
    while True:
        yield coin.random() < probability
