"""What turns cocotbext-axi's slave into an unpleasant partner: random pauses and bytes that answer with errors."""

from __future__ import annotations

import random
from collections.abc import Iterator

from cocotbext.axi import AxiSlave, MemoryRegion


class FaultyMemory(MemoryRegion):
    """Memory from ``base`` on, in which chosen bytes answer with an error (cocotbext-axi makes SLVERR of exceptions).

    Places in it, ``bad`` among them, count from its first byte.
    """

    def __init__(self, size: int, base: int = 0) -> None:
        super().__init__(size, base=base)
        self.bad: range = range(0)

    async def read(self, address: int, length: int, **options: object) -> bytes:
        return await super().read(address - self.base, length, **options)

    async def write(self, address: int, data: bytes, **options: object) -> None:
        await super().write(address - self.base, data, **options)

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
