"""Everything that a receipt says, once more, on the files that are there now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wingrid.host.bitstreams.layout import BITSTREAM
from wingrid.host.bitstreams.write_bitstream import made_bitstream
from wingrid.host.builds import contents, judging
from wingrid.host.builds.build import SEEDS
from wingrid.host.builds.receipt import Receipt, differences, hashes, tool_versions
from wingrid.host.images.image import Image
from wingrid.host.silicon.board import find_place
from wingrid.host.silicon.synth import synthesised
from wingrid.host.test_benches.running import Simulator
from wingrid.hw.config import AcceleratorConfig

Says = Callable[[str], None]


@dataclass
class Replay:
    """What a check found."""

    checks: dict[str, list[str]] = field(default_factory=dict)
    """A line for each difference, by what was checked; none where all is as the receipt says."""
    tools: list[str] = field(default_factory=list)
    """Tools of other versions than at the build: told, and no difference by themselves."""

    @property
    def differs(self) -> bool:
        return any(self.checks.values())


def replayed(folder: Path, says: Says = lambda _: None) -> Replay:
    """Check a build against its receipt. Raises ``UserError`` for a folder that is none, and what tools raise."""
    receipt = Receipt.read(folder)
    found = Replay(tools=list(differences(receipt.tools, tool_versions())))
    says("hashes")
    now = hashes(folder, (contents.RECEIPT, contents.PAGE))
    found.checks["files"] = list(differences(receipt.files, now))
    if found.checks["files"]:
        # What was found on other files says nothing about these.
        return found
    image = Image.load(folder / contents.IMAGE)
    order, results = receipt.order, receipt.results
    says("compiling")
    wanted = judging.reference_of(folder, order, image.config)
    anew = judging.judged_files(folder, image, wanted)
    found.checks["made anew"] = [name.replace("_", " ") for name in judging.failures(anew)]
    found.checks["network"] = list(differences(results["network"], {"onnxruntime_equal": wanted.onnxruntime_equal}))
    rtl, _ = judging.judged_rtl(folder, image, says)
    found.checks["RTL"] = list(differences(results["rtl"], rtl))
    for name, was in results["test_bench"].items():
        if was is not None:
            bench = judging.judged_test_bench(folder, Simulator(name), says)
            found.checks[f"test bench in {name}"] = list(differences(was, bench))
    found.checks["silicon"] = list(differences(results["silicon"], _silicon(folder, receipt, image.config, says)))
    if order.bitstream:
        board, files = made_bitstream(folder, progress=says)
        was = results["bitstream"]
        found.checks["bitstream"] = list(differences(was, judging.judged_bitstream(board)))
        there = contents.under(BITSTREAM, files)
        found.checks["bitstream"] += [f"{name} is made otherwise" for name in judging.others(folder, there)]
    return found


def _silicon(folder: Path, receipt: Receipt, config: AcceleratorConfig, says: Says) -> Mapping[str, Any]:
    was = receipt.results["silicon"]
    name = receipt.order.target
    target, _ = find_place(str(folder / name) if name == contents.TARGET else name)
    seeds = SEEDS if was["clock"] else ()
    planned = was["clock"] and was["clock"]["planned_mhz"]
    return judging.judged_silicon(synthesised(config, target, seeds=seeds, says=says), planned)
