"""A bitstream with digits for the board, its netlist simulated until the UART has told the class.

python -m tests.bench.bitstream [DIR]
"""

from __future__ import annotations

import sys
from pathlib import Path

from wingrid.host.bitstreams.write_bitstream import write_bitstream
from wingrid.host.soc.build_inputs import write_build_inputs
from wingrid.hw.config import AcceleratorConfig

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "ulx3s-4x4.toml"


def main() -> None:
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else "build/bitstream")
    write_build_inputs(directory, "digits", AcceleratorConfig.load(CONFIG))
    result = write_bitstream(directory, progress=lambda line: print(line, flush=True))
    print("\n".join(result.lines()))


if __name__ == "__main__":
    main()
