"""The test bench of an image: what it runs, and what that must give, for ``testbench.v``."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.files import write_folder
from wingrid.host.images.binary import EntryRecord
from wingrid.host.images.image import BINARY, Image
from wingrid.host.images.machines import SpecifiedMachine
from wingrid.host.images.running import Machine, run_image
from wingrid.hw import verilog
from wingrid.hw.config import AXI_PAGE_BYTES
from wingrid.hw.events import Event
from wingrid.hw.registers import (
    REGISTER_ADDRESS_BITS,
    Control,
    Counter,
    Register,
    Status,
    counter_address,
    readings,
)
from wingrid.hw.sliced_accelerator import SlicedAccelerator
from wingrid.sim.memory import Dram, MemoryTiming
from wingrid.sim.rtl.verilator import WAIVERS

BENCH, NETWORK, MAKEFILE = "testbench.v", "network.vh", "Makefile"
SOURCE = f"{verilog.TOP}.v"


class Recorder:
    """A machine that keeps what its entries take and leave: of each entry the bytes of every tensor, in order."""

    def __init__(self, image: Image, machine: Machine) -> None:
        self._image = image
        self._machine = machine
        self.inputs: list[list[bytes]] = []
        self.outputs: list[list[bytes]] = []

    @property
    def memory(self) -> npt.NDArray[np.uint8]:
        """The machine's."""
        return self._machine.memory

    def run(self, entry: EntryRecord) -> dict[Counter, int] | None:
        """Run it on the machine."""
        self.inputs.append([self._content(place) for place in entry.inputs])
        counters = self._machine.run(entry)
        self.outputs.append([self._content(place) for place in entry.outputs])
        return counters

    def _content(self, place: int) -> bytes:
        tensor = self._image.contents.tensors[place]
        return self.memory[tensor.offset : tensor.offset + tensor.layout.bytes].tobytes()


def write_test_bench(
    directory: Path,
    image: Image,
    inputs: Mapping[str, npt.NDArray],
    text: str,
    machine: Machine | None = None,
    *,
    register_slices: bool = False,
) -> list[Path]:
    """Write a folder with all that a simulator needs: the bench, the accelerator's Verilog ``text`` and the image.

    It runs the image once on these inputs, by the manifest's names. ``machine`` says what the outputs must be, by
    default the executable specification. The rest is as in ``bench_files``. Returns the paths. Raises ``UserError``,
    also for inputs that are not the network's; then nothing is written.
    """
    recorder = Recorder(image, machine or SpecifiedMachine(image))
    run_image(image, recorder, inputs)
    files = bench_files(image, recorder, register_slices=register_slices)
    return write_folder(directory, files | {SOURCE: text.encode(), BINARY: image.binary})


def bench_files(
    image: Image,
    recorder: Recorder,
    *,
    source: str = SOURCE,
    binary: str = BINARY,
    register_slices: bool = False,
) -> dict[str, bytes]:
    """The files of a test bench, by name, that runs the image once on what it was run on here with ``recorder``.

    Each entry must leave what it left then, in the image's cycles. What the host does between entries was done then,
    and its results are files. ``source`` and ``binary`` are the
    accelerator's Verilog and the image's binary file as seen from the bench's folder, without spaces; both are read
    when the bench is compiled and run, and are not among the files. With ``register_slices`` the Verilog is a
    ``SlicedAccelerator``, and the image's memory is what the machine behind the slices sees. Raises ``UserError`` for
    an image whose memory is behind a bridge, or too fast to have slices before it.
    """
    if image.timing.bridge:
        raise UserError("the image is for a memory behind a bridge, and the bench has none")
    timing = _before_slices(image.timing) if register_slices else image.timing
    files = {
        BENCH: (resources.files(__package__) / BENCH).read_bytes(),
        MAKEFILE: _makefile(source).encode(),
    }
    for entry, (taken, left) in enumerate(zip(recorder.inputs, recorder.outputs, strict=True)):
        files |= {_file(entry, "input", place): content for place, content in enumerate(taken)}
        files |= {_file(entry, "output", place): content for place, content in enumerate(left)}
    lines = [*_localparams(image, timing, binary), *_network_task(image, binary)]
    header = f"// What {BENCH} runs, and what is promised: network {_plain(image.manifest['network'])}. Generated."
    return files | {NETWORK: "\n".join([header, "", *lines, ""]).encode()}


def _before_slices(timing: MemoryTiming) -> MemoryTiming:
    """The memory that a sliced accelerator must have for its machine to see this one."""
    added = SlicedAccelerator.added_latency
    if min(timing.latency, timing.write_latency) <= added:
        raise UserError(
            f"the image is for a memory with latencies of {timing.latency} and {timing.write_latency} cycles; with "
            f"register slices they are at least {added + 1}"
        )
    return dataclasses.replace(timing, latency=timing.latency - added, write_latency=timing.write_latency - added)


def _file(entry: int, kind: str, place: int) -> str:
    return f"entry-{entry + 1}-{kind}-{place + 1}.bin"


def _plain(name: str) -> str:
    """A name as it can stand between quotation marks in Verilog."""
    return "".join(letter if " " <= letter <= "~" and letter not in '"\\' else "_" for letter in name)


def _localparams(image: Image, timing: MemoryTiming, binary: str) -> Iterator[str]:
    config, contents = image.config, image.contents
    dram = timing.dram or Dram()
    names = [*(entry.name for entry in contents.entries), *(tensor.name for tensor in contents.tensors), binary]
    sizes = [contents.tensors[place].layout.bytes for entry in contents.entries for place in entry.outputs]
    numbers = {
        "BUS_BYTES": config.bus_bytes,
        "ADDRESS_BITS": config.address_bits,
        "EVENTS": len(Event),
        "REGISTER_ADDRESS_BITS": REGISTER_ADDRESS_BITS,
        "MEMORY_BYTES": _memory_bytes(image),
        "MOST_EXPECTED": max(sizes),
        "LATENCY": timing.latency,
        "WRITE_LATENCY": timing.write_latency,
        "BYTES_PER_CYCLE": timing.bytes_per_cycle,
        "BANKS": dram.banks if timing.dram else 0,
        "ROWS_OPEN": dram.banks,
        "ROW_BYTES": dram.row_bytes,
        "ROW_MISS": dram.row_miss,
        "REFRESH_INTERVAL": dram.refresh_interval,
        "REFRESH_CYCLES": dram.refresh_cycles,
        # File names of tensors are shorter than this.
        "NAME_BITS": 8 * max(64, *map(len, names)),
    }
    for name, number in numbers.items():
        yield f"  localparam {name} = {number};"
    yield f"  localparam [63:0] MEMORY_BASE = {_hex(64, _base(image))};"
    for register in Register:
        yield f"  localparam {register.name} = {_register(register)};"
    yield f"  localparam COUNTER_CYCLES = {_register(counter_address(Counter.CYCLES))};"
    yield f"  localparam [31:0] CONTROL_START = {_hex(32, Control.START)};"
    yield f"  localparam [31:0] STATUS_DONE = {_hex(32, Status.DONE)};"


def _network_task(image: Image, binary: str) -> Iterator[str]:
    contents = image.contents

    def placed(task: str, file: str, place: int, *, name: bool = False) -> str:
        tensor = contents.tensors[place]
        first = f'"{_plain(tensor.name)}", ' if name else ""
        return f'      {task}({first}"{file}", {tensor.offset}, {tensor.layout.bytes});'

    yield "  task network;"
    yield "    begin"
    for register, value in sorted(readings(image.config).items()):
        yield f'      check_register("{register.name}", {register.name}, {_hex(32, value)});'
    yield f'      load_image("{binary}", {len(image.binary)}, {_hex(32, zlib.crc32(image.binary))});'
    # All at first: memory that an output takes later may hold what an entry before leaves for one behind. The last
    # entry's first, so that where outputs share memory it is the next one that is spoilt.
    for number, entry in reversed(list(enumerate(contents.entries))):
        for index, place in enumerate(entry.outputs):
            yield placed("spoil", _file(number, "output", index), place)
    yield "      write_register(BASE, MEMORY_BASE[31:0]);"
    yield "      write_register(BASE_HIGH, MEMORY_BASE[63:32]);"
    yield "      write_register(INTERRUPT_ENABLE, 1);"
    for number, entry in enumerate(contents.entries):
        name = _plain(entry.name)
        for index, place in enumerate(entry.inputs):
            yield placed("load", _file(number, "input", index), place)
        yield f'      run("{name}", {entry.program}, {entry.instructions}, 64\'d{entry.cycles});'
        for index, place in enumerate(entry.outputs):
            yield placed("compare", _file(number, "output", index), place, name=True)
        yield f'      check_cycles("{name}");'
    yield "    end"
    yield "  endtask"


def _memory_bytes(image: Image) -> int:
    """The image's memory, in whole pages."""
    return -(-image.contents.memory_bytes // AXI_PAGE_BYTES) * AXI_PAGE_BYTES


def _base(image: Image) -> int:
    """Where the memory lies on the bus: as high as it can, so that every bit of an address matters."""
    return (1 << image.config.address_bits) - _memory_bytes(image)


def _register(address: int) -> str:
    return _hex(REGISTER_ADDRESS_BITS, address)


def _hex(bits: int, value: int) -> str:
    return f"{bits}'h{value:0{-(-bits // 4)}x}"


def _makefile(source: str) -> str:
    waivers = " ".join(f"-Wno-{name}" for name in sorted(WAIVERS))
    return f"""\
# make icarus, make verilator: compile the accelerator with its test bench, run it, fail unless all is as promised.
# What is compiled goes to the folder BUILD. SEED is of the values that Verilator's registers have before reset.
VERILATOR = verilator
BUILD = .
SEED = 1
SOURCES = {source} {BENCH}

.PHONY: all icarus verilator
.DELETE_ON_ERROR:
all: icarus verilator

icarus: $(BUILD)/icarus.vvp
\tvvp -N $<

verilator: $(BUILD)/verilated/Vtestbench
\t$< +verilator+rand+reset+2 +verilator+seed+$(SEED)

$(BUILD)/icarus.vvp: $(SOURCES) {NETWORK}
\tiverilog -g2005 -s testbench -o $@ $(SOURCES)

# Verilator's makefile in its Python package has neither of the last two flags for the compiler; others' have both.
$(BUILD)/verilated/Vtestbench: $(SOURCES) {NETWORK}
\t$(VERILATOR) --binary --timing -j 0 --x-initial unique --top-module testbench {waivers} \\
\t\t-CFLAGS -std=gnu++20 -MAKEFLAGS CFG_CXXFLAGS_PCH_I=-include -Mdir $(@D) $(SOURCES)
"""
