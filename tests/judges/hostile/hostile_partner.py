"""The Verilated accelerator among hostile partners: random READY, gaps, latencies, errors, accesses and resets.

    python -m tests.judges.hostile.hostile_partner --rounds 1000

Each round has a seed of its own, which is printed if it fails, and can be run alone (``--first SEED --rounds 1``) as
far as it does not depend on those before it. Exit status 1 if one fails.
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import functools
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))

import single_group
from layer_cases import SQUARE, WIDE

from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.encoding import encode_program
from wingrid.hw.isa import Fault
from wingrid.hw.registers import COUNTER_BASE, REGISTER_ADDRESS_BITS, Control, Counter, Register, Status
from wingrid.sim.rtl import build
from wingrid.sim.timing.model import simulate

SOURCE = Path(__file__).with_name("hostile.cpp")
CONFIGS = {"2x3": WIDE, "4x4": dataclasses.replace(SQUARE, address_bits=40)}
LAYERS: tuple[dict[str, int], ...] = (
    {"channels": 2, "filters": 5, "height": 4, "width": 6},
    {"channels": 2, "filters": 4, "height": 4, "width": 6, "tile": 2},
    {"channels": 2, "filters": 4, "height": 4, "width": 7, "tile": 4},
    {"channels": 2, "filters": 3, "height": 4, "width": 6, "pool": 2},
)
SPARSE_LAYER = {"channels": 4, "filters": 5, "height": 1, "width": 1, "kernel": 1, "padding": 0, "sparse": True}
ANY = (1 << 64) - 1


class Limits(ctypes.Structure):
    """The structure of that name in ``rules.hpp``."""

    _fields_ = [(name, ctypes.c_uint32) for name in ("bus_bytes", "burst_beats", "reads_in_flight", "writes_in_flight")]


MAP = {
    "control": Register.CONTROL,
    "status": Register.STATUS,
    "interrupt_enable": Register.INTERRUPT_ENABLE,
    "interrupt_pending": Register.INTERRUPT_PENDING,
    "fault": Register.FAULT,
    "program": Register.PROGRAM,
    "program_length": Register.PROGRAM_LENGTH,
    "base": Register.BASE,
    "base_high": Register.BASE_HIGH,
    "counters": COUNTER_BASE,
    "counter_count": len(Counter),
    "register_bits": REGISTER_ADDRESS_BITS,
    "start": Control.START,
    "reset": Control.RESET,
    "running": Status.RUNNING,
    "done": Status.DONE,
    "faulty": Status.FAULT,
    "resetting": Status.RESETTING,
    "read_error": Fault.READ_ERROR,
    "write_error": Fault.WRITE_ERROR,
}


class Map(ctypes.Structure):
    """The structure of that name in ``hostile.cpp``."""

    _fields_ = [(name, ctypes.c_uint32) for name in (*MAP, "address_bits")]


@dataclass(frozen=True)
class Totals:
    """What happened in all rounds."""

    cycles: int
    errors: int
    resets: int
    resets_running: int
    faults: int
    accesses: int
    finished: int


class _Totals(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in Totals.__dataclass_fields__]


class HostilePartner:
    """An accelerator, or another module ``wingrid``, that has to live through rounds of this."""

    def __init__(self, config: AcceleratorConfig, *, text: str | None = None, seed: int = 1) -> None:
        library = build.library(text or verilog.generate(config), config.bus_bytes, harness=SOURCE)
        self._library = ctypes.CDLL(str(library))
        self._library.hostile_create.restype = ctypes.c_void_p
        self._library.hostile_message.restype = ctypes.c_char_p
        limits = Limits(config.bus_bytes, config.burst_beats, config.reads_in_flight, config.writes_in_flight)
        registers = Map(**MAP, address_bits=config.address_bits)
        self._machine = ctypes.c_void_p(
            self._library.hostile_create(ctypes.byref(limits), ctypes.byref(registers), ctypes.c_uint64(seed))
        )
        for layer in [*LAYERS, *([SPARSE_LAYER] if config.sparse else [])]:
            self._program(config, single_group.build(config, **layer))

    def _program(self, config: AcceleratorConfig, group: single_group.SingleGroup) -> None:
        before = group.memory.tobytes()
        after = group.memory.copy()
        after[single_group.RESULTS : single_group.RESULTS + group.expected.size] = group.expected
        counters = simulate(config, encode_program(group.instructions)).counters
        exact = [Counter.BUSY, *(counter for counter in Counter if counter.name.startswith("BYTES_"))]
        values = (ctypes.c_uint64 * len(Counter))(*(counters[c] if c in exact else ANY for c in Counter))
        self._library.hostile_program(
            self._machine, before, after.tobytes(), ctypes.c_uint64(len(before)), single_group.PROGRAM, group.length,
            values, ctypes.c_uint64(len(Counter)),
        )  # fmt: skip

    def round(self, seed: int) -> str | None:
        """What went wrong in a round, if anything did."""
        if not self._library.hostile_round(self._machine, ctypes.c_uint64(seed)):
            return None
        return str(self._library.hostile_message(self._machine).decode())

    @property
    def totals(self) -> Totals:
        totals = _Totals()
        self._library.hostile_totals(self._machine, ctypes.byref(totals))
        return Totals(**{name: getattr(totals, name) for name in Totals.__dataclass_fields__})

    def close(self) -> None:
        self._library.hostile_destroy(self._machine)


@functools.cache
def partner(name: str) -> HostilePartner:
    return HostilePartner(CONFIGS[name])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000, help="on each array")
    parser.add_argument("--first", type=int, default=0, help="seed of the first round")
    options = parser.parse_args()
    failed = False
    for name, config in CONFIGS.items():
        began = time.perf_counter()
        machine = HostilePartner(config)
        built = time.perf_counter()
        for seed in range(options.first, options.first + options.rounds):
            if problem := machine.round(seed):
                print(f"{name}, round {seed}: {problem}", flush=True)
                failed = True
                break
        took = time.perf_counter() - built
        print(f"{name}: built in {built - began:.0f} s, {took:.0f} s, {machine.totals}", flush=True)
        machine.close()
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
