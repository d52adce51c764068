"""What of the SoC and of its folder is chosen here: names, places and sizes."""

from __future__ import annotations

TOP = "soc"
"""Name of the SoC's module."""

BUSES = {"litex-axi": "axi", "litex-wishbone": "wishbone"}
"""The bus that LiteX gives the SoC, by the name of the memory that the accelerator has on it."""

FIRMWARE_BYTES = 0x8000
"""The ROM at address 0, from which the processor starts."""

OWN_BYTES = 0x2000
"""The memory that is the firmware's own: variables and stack."""

REGISTERS_BASE = 0x9000_0000
"""Where the processor sees the accelerator's registers. VexRiscv caches nothing from 0x8000_0000 on."""

REGISTERS_BYTES = 0x1000

ADDRESS_BITS, BUS_BYTES = 32, 4
"""Of LiteX's bus, which is as wide as VexRiscv's."""

HARDWARE, IMAGE = "hardware", "image"
"""Folders of what a build leaves: the accelerator's package, and the network's image."""

EXPECTED = "expected"
INPUTS, OUTPUTS = f"{EXPECTED}/inputs.npz", f"{EXPECTED}/outputs.npz"
"""Samples of the network's inputs, by name and stacked, and the outputs that it must give."""

SOCS = "soc"
"""Folder of what a SoC makes of it, in one for each memory."""
