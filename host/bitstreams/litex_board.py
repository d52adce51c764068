"""The SoC for the board, by LiteX: that of the simulation, with the board's clock and serial line.

    python -m wingrid.host.bitstreams.litex_board HARDWARE OUT STANDARD RAM_BYTES

writes ``board.v`` and ``soc.json`` into the folder OUT, as ``wingrid.host.soc.litex_soc`` does. Memories are read from
``rom.hex`` and ``main_ram.hex``: they hold firmware and network from the start.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from litex.build.generic_platform import GenericPlatform, Pins, Subsignal

from wingrid.host.bitstreams.layout import LOADED, TOP
from wingrid.host.bitstreams.ulx3s import BAUD, HERTZ
from wingrid.host.soc.litex_soc import Soc, accelerator_module, leave

PINS = [("clk", 0, Pins(1)), ("serial", 0, Subsignal("tx", Pins(1)), Subsignal("rx", Pins(1)))]

MEMORY = re.compile(rf"^reg \[\d+:0\] ({'|'.join(LOADED)})\[0:\d+\];$", flags=re.M)


def write(hardware: Path, out: Path, standard: str, ram_bytes: int) -> None:
    """Write the files."""
    module = accelerator_module(hardware)
    platform = GenericPlatform("ulx3s", PINS)
    soc = Soc(platform, module, standard, ram_bytes, HERTZ, uart_name="serial", uart_baudrate=BAUD)
    leave(soc, out, TOP, lambda text: MEMORY.sub(r'\g<0>\ninitial $readmemh("\1.hex", \1);', text))


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
