"""A bitstream for a network and its accelerator, and the netlist simulated until its UART has told the outputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wingrid.host.bitstreams import ulx3s
from wingrid.host.bitstreams.layout import BITSTREAM, LOADED, TOP
from wingrid.host.bitstreams.netlist import synthesised
from wingrid.host.bitstreams.room import BLOCK_BYTES, blocks_for, require_room
from wingrid.host.bitstreams.routing import Routed, routed
from wingrid.host.bitstreams.simulator import said
from wingrid.host.errors import UserError
from wingrid.host.execution.driver import MachineFault
from wingrid.host.files import write_folder
from wingrid.host.onnx_models.judge import output_difference
from wingrid.host.soc.build_inputs import BuildInputs
from wingrid.host.soc.checks import SocDiffers
from wingrid.host.soc.firmware import compiled, firmware_files
from wingrid.host.soc.hardware import SocHardware, by_litex, require_soc
from wingrid.host.soc.job import job_for
from wingrid.host.soc.transcript import Sample, read_transcript
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.version import version

MEMORY = "litex-axi"
"""The accelerator's memory in the SoC."""

LITEX = "wingrid.host.bitstreams.litex_board"
"""The program that makes the SoC's Verilog."""

NOT_RUN = "not run on hardware: placed and routed, and simulated after synthesis"


@dataclass(frozen=True)
class BitstreamResult:
    """A bitstream and what is known of it."""

    network: str
    config: AcceleratorConfig
    routed: Routed = field(repr=False)
    sample: Sample
    """What the simulated netlist has said."""
    cycles: int
    """Simulated, from reset to the firmware's end."""

    def figures(self) -> dict[str, Any]:
        """What was found, ready for JSON."""
        return {
            "clock_mhz": ulx3s.HERTZ / 1e6,
            "reached_mhz": self.routed.mhz,
            "used": {name: {"used": used, "available": of} for name, (used, of) in self.routed.used.items()},
            "bitstream_bytes": len(self.routed.bitstream),
            "simulated": {"class": self.sample.found, "accelerator_cycles": self.sample.cycles, "cycles": self.cycles},
        }

    def as_json(self) -> str:
        """Everything, for programs."""
        told = {
            "wingrid": version(),
            "board": ulx3s.NAME,
            "hardware": NOT_RUN,
            "network": self.network,
            "config": self.config.as_dict(),
            **self.figures(),
        }
        return json.dumps(told, indent=2) + "\n"

    def lines(self) -> list[str]:
        """The same in a few words."""
        blocks, there = self.routed.used["DP16KD"]
        return [
            f"{self.network} for {ulx3s.NAME}: {self.routed.mhz} MHz reached, {ulx3s.HERTZ / 1e6:g} needed, "
            f"{blocks} of {there} block RAMs",
            f"the netlist said class {self.sample.found} after {self.cycles:,} cycles, {self.sample.cycles:,} of them "
            "the accelerator's; every bit as it must be",
            NOT_RUN,
        ]


def write_bitstream(
    directory: Path, *, seed: int = 1, progress: Callable[[str], None] | None = None
) -> BitstreamResult:
    """Put the bitstream of ``made_bitstream``, and what it is made of, into ``BITSTREAM`` within the same folder.

    Nothing is written before the netlist has told the outputs that it must.
    """
    result, files = made_bitstream(directory, seed=seed, progress=progress)
    write_folder(directory / BITSTREAM, files)
    return result


def made_bitstream(
    directory: Path, *, seed: int = 1, progress: Callable[[str], None] | None = None
) -> tuple[BitstreamResult, dict[str, bytes]]:
    """The bitstream for what ``write_build_inputs`` left in the folder, with the first sample in it.

    The files are ``board.bit``, ``board.lpf``, ``report.json`` and what they are made of. ``seed`` is the router's, and
    draws what has no first value in the simulation. Raises ``UserError`` for what cannot be, ``ToolMissing``,
    ``BuildError``, ``SimulationError``, ``MachineFault`` with what the firmware complains of, and ``SocDiffers``.
    """
    tell = progress or (lambda _: None)
    inputs = BuildInputs.load(directory)
    image = inputs.image
    require_soc(image.config, MEMORY)
    job = job_for(image, {name: value[:1] for name, value in inputs.inputs.items()})
    blocks = blocks_for(job)
    require_room(blocks, image.config)
    tell("LiteX makes the SoC")
    hardware = SocHardware(MEMORY, *by_litex(LITEX, TOP, inputs.hardware, MEMORY, blocks * BLOCK_BYTES))
    made = compiled(firmware_files(hardware.addresses, job.header))
    contents = dict(zip(LOADED, (made["firmware.bin"], job.memory.tobytes()), strict=True))
    sources = {f"{TOP}.v": hardware.text.encode()}
    sources |= {f"{name}.hex": words(content, image.config.bus_bytes) for name, content in contents.items()}
    netlist = synthesised(sources, tell)
    chip = routed(netlist.json, seed, tell)
    if chip.mhz * 1e6 < ulx3s.HERTZ:
        raise UserError(f"{ulx3s.NAME}'s clock is {ulx3s.HERTZ / 1e6:g} MHz, and the design reaches {chip.mhz}")
    promised = sum(entry.cycles for entry in image.contents.entries)
    # Far more than the firmware can need for anything without a word.
    lines, cycles = said(netlist.verilog, 10_000_000 + 50 * promised, seed, tell)
    ran = read_transcript(image, lines)
    if len(ran) != 1:
        raise MachineFault(f"the firmware ran {len(ran)} samples in place of 1")
    outputs = job.outputs(0, ran[0].outputs)
    for name, value in inputs.outputs.items():
        if wrong := output_difference(name, outputs[name], np.asarray(value[0]), "what it must be"):
            raise SocDiffers(wrong)
    result = BitstreamResult(image.manifest["network"], image.config, chip, ran[0], cycles)
    files = {
        **sources,
        "firmware.elf": made["firmware.elf"],
        f"{TOP}.lpf": ulx3s.constraints().encode(),
        f"{TOP}.bit": chip.bitstream,
        "uart.txt": "".join(f"{line}\n" for line in lines).encode(),
        "report.json": result.as_json().encode(),
    }
    return result, files


def words(content: bytes, width: int) -> bytes:
    """Words of ``width`` bytes, the lowest byte first, as $readmemh reads them."""
    padded = content + bytes(-len(content) % width)
    return b"".join(f"{int.from_bytes(padded[at : at + width], 'little'):0{2 * width}x}\n".encode()
                    for at in range(0, len(padded), width))  # fmt: skip
