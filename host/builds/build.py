"""From a network and a target to a folder: fitted, written, run on what was written, and put in its place then."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wingrid.host.bitstreams.room import blocks_for, require_room
from wingrid.host.bitstreams.write_bitstream import write_bitstream
from wingrid.host.builds import contents, judging
from wingrid.host.builds.order import Order
from wingrid.host.builds.page import page
from wingrid.host.builds.receipt import Receipt, hashes, is_build, tool_versions
from wingrid.host.errors import UserError
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.setup import Setup
from wingrid.host.files import require_folder
from wingrid.host.fitting.fit import Candidate, Estimate, Fit, Wanted, describe, fitted
from wingrid.host.images.image import BINARY, Image
from wingrid.host.networks.layer import Layer
from wingrid.host.silicon.synth import synthesised
from wingrid.host.silicon.synth_result import SynthResult
from wingrid.host.silicon.target import Target, larger_target
from wingrid.host.soc.job import job_for
from wingrid.host.test_benches.generate import bench_files
from wingrid.host.test_benches.running import Simulator
from wingrid.sim.tools import BuildError, ToolMissing

SEEDS = (1,)
"""Of the placement; the clock of a build is that of what lies in its receipt, not of the best of many."""

TRIES = 4
"""Configurations that are synthesised, at most, until one fits and reaches its clock."""

BENCH_CYCLES = {Simulator.ICARUS: 500_000, Simulator.VERILATOR: 5_000_000}
"""The longest network that its test bench runs by itself in each simulator at a build, some minutes each."""

Says = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """What a build has found, beside what lies in its folder."""

    receipt: Receipt
    fit: Fit
    estimate: NetworkResult
    silicon: SynthResult
    rejected: Sequence[str]
    """Why each configuration that was taken before was not it."""
    larger: str | None
    """What the next larger target would bring, in a sentence."""


def built(
    order: Order,
    files: Mapping[str, bytes],
    wanted: Wanted,
    estimate: Estimate,
    folder: Path,
    says: Says = lambda _: None,
) -> Built:
    """Fill a folder, which is new, empty or an earlier build, with the order's accelerator.

    ``files`` are the user's own (``users_files``); ``estimate`` times the network on a setup. Raises ``UserError``,
    ``ToolMissing`` and ``BuildError``, also for a check that does not hold; then the folder is as it was.
    """
    require_place(folder)
    layers = [result.layer for result in estimate(Setup("timing", wanted.fixed, wanted.memory(wanted.fixed))).layers]
    fit = fitted(estimate, layers, wanted, says)
    rejected: list[str] = []
    for candidate in fit.candidates[:TRIES]:
        with _staged(folder) as staging:
            making = _Making(order, files, wanted, candidate, staging, says)
            silicon, why = making.made()
            if silicon is None or why is not None:
                rejected.append(f"{describe(candidate.config)}: {why}")
                says(rejected[-1])
                continue
            judging.require(making.results)
            receipt = Receipt(
                order, planned(candidate, fit, rejected), tool_versions(), hashes(staging, ()), making.results
            )
            timed = estimate(Setup("timing", candidate.config, candidate.timing, keep_programs=True))
            found = Built(receipt, fit, timed, silicon, rejected, _larger(wanted, estimate, layers, candidate, says))
            (staging / contents.RECEIPT).write_text(receipt.as_text())
            (staging / contents.PAGE).write_text(page(found.receipt, timed, silicon, found.larger))
        return found
    raise UserError(
        f"no accelerator was found that fits {wanted.target.name} and reaches its clock: {'; '.join(rejected)}"
    )


def planned(candidate: Candidate, fit: Fit, rejected: Sequence[str]) -> dict[str, Any]:
    """What was chosen and expected, ready for JSON."""
    return {
        "config": candidate.config.as_dict(),
        "memory": dataclasses.asdict(candidate.timing),
        "clock_mhz": candidate.mhz,
        "cycles": candidate.cycles,
        "images": candidate.images,
        "images_per_second": candidate.images_per_second,
        "microjoules_per_image": candidate.microjoules,
        "logic": round(candidate.area.logic),
        "multipliers": candidate.area.multipliers,
        "memories": candidate.area.memories,
        "share": {name: round(share, 4) for name, share in candidate.share.items()},
        "binding": fit.binding,
        "search": {"meshes": fit.meshes, "bounded": fit.bounded, "left": fit.left, "timed": fit.timed},
        "rejected": list(rejected),
    }


def require_place(folder: Path) -> None:
    """Raise ``UserError`` unless a build can be put there: into nothing, an empty folder, or an untouched build."""
    require_folder(folder)
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not is_build(folder):
        raise UserError(f"{folder} holds something that is no build; name another folder, or an empty one")
    known = {*Receipt.read(folder).files, contents.RECEIPT, contents.PAGE}
    if foreign := sorted(set(hashes(folder, ())) - known):
        raise UserError(f"{folder} holds {foreign[0]}, which no build has put there; name another folder")


class _Making:
    """One configuration, made and judged in a folder of its own."""

    def __init__(
        self,
        order: Order,
        files: Mapping[str, bytes],
        wanted: Wanted,
        candidate: Candidate,
        staging: Path,
        says: Says,
    ) -> None:
        self._order = order
        self._files = files
        self._wanted = wanted
        self._candidate = candidate
        self._staging = staging
        self._says = says
        self.results: dict[str, Any] = {}

    def made(self) -> tuple[SynthResult | None, str | None]:
        """What synthesis found, and why the configuration is not the one, if it is not. The folder is filled then."""
        with ThreadPoolExecutor(1) as pool:
            # Beside what runs on the other core.
            silicon = pool.submit(self._synthesised)
            no_room = self._fill()
            try:
                result = silicon.result()
            except BuildError as error:
                return None, str(error).splitlines()[-1]
        if no_room:
            return result, no_room
        found = judging.judged_silicon(result, self._candidate.mhz if result.routes else None)
        self.results["silicon"] = found
        if not result.fits:
            name, share = max(result.share.items(), key=lambda entry: entry[1])
            return result, f"takes {share:.0%} of the {name} of {result.target.name}"
        clock = found["clock"]
        if clock is not None and not clock["reached"]:
            return result, f"is routed at {clock['mhz']:g} MHz, and {clock['planned_mhz']:g} were planned"
        if self._order.bitstream:
            try:
                board = write_bitstream(self._staging, progress=self._says)
            except UserError as error:
                return result, str(error)
            self.results["bitstream"] = judging.judged_bitstream(board)
        return result, None

    def _synthesised(self) -> SynthResult:
        # A bitstream's design is routed as a whole.
        routed = self._order.route and not self._order.bitstream
        seeds = SEEDS if routed and self._wanted.target.routes else ()
        return synthesised(self._candidate.config, self._wanted.target, seeds=seeds)

    def _fill(self) -> str | None:
        """Write and run all but synthesis; why not, if memory on the chip has no room for the network."""
        order, folder, config = self._order, self._staging, self._candidate.config
        _write(folder, self._files)
        self._says(f"compiling for {describe(config)}")
        wanted = judging.reference_of(folder, order, config)
        image, files = contents.image_files(wanted, config, self._candidate.timing)
        _write(folder, files)
        if order.bitstream:
            job = job_for(image, {name: value[None] for name, value in wanted.inputs.items()})
            try:
                require_room(blocks_for(job), config)
            except UserError as error:
                return str(error)
        _write(folder, contents.hardware_files(config))
        _write(folder, contents.driver_contents())
        _write(folder, contents.expected_files(wanted))
        self.results["network"] = {"onnxruntime_equal": wanted.onnxruntime_equal}
        self.results["rtl"], recorder = judging.judged_rtl(folder, image, self._says)
        source, binary = f"../{contents.VERILOG}", f"../{contents.IMAGE}/{BINARY}"
        bench = bench_files(image, recorder, source=source, binary=binary)
        _write(folder, contents.under(contents.TEST_BENCH, bench))
        self.results["test_bench"] = dict(self._benches(image))
        return None

    def _benches(self, image: Image) -> Iterator[tuple[str, Any]]:
        cycles = sum(entry.cycles for entry in image.contents.entries)
        for simulator, most in BENCH_CYCLES.items():
            if cycles > most:
                yield simulator.value, None
                continue
            try:
                yield simulator.value, judging.judged_test_bench(self._staging, simulator, self._says)
            except ToolMissing as error:
                self._says(str(error))
                yield simulator.value, None


def _larger(wanted: Wanted, estimate: Estimate, layers: Sequence[Layer], best: Candidate, says: Says) -> str | None:
    """What the next larger chip of the family would bring."""
    chip: Target | None = larger_target(wanted.target)
    if chip is None or not {"rows", "cols"} & wanted.free:
        return None
    says(f"and on {chip.name}")
    with contextlib.suppress(UserError):
        there = fitted(estimate, layers, dataclasses.replace(wanted, target=chip), refine=False).candidates[0]
        if there.images_per_second and best.images_per_second:
            gain = there.images_per_second / best.images_per_second
            rate = f"{there.images_per_second:.3g} images per second, {gain:.2f} times as many"
        else:
            rate = f"{there.cycles:,} cycles, {there.cycles / best.cycles:.2f} times as many"
        return f"{chip.name}, the next larger target, has room for {describe(there.config)}: {rate}, as planned"
    return None


@contextlib.contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """A folder to fill; if there is a receipt in it when the block ends, it takes the place of ``folder``."""
    place = Path(os.path.realpath(folder))
    missing = [parent for parent in place.parents if not parent.exists()]
    place.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".wingrid-", dir=place.parent))
    placed = False
    try:
        yield staging
        if (staging / contents.RECEIPT).exists():
            staging.chmod(0o777 & ~_umask())
            _put(staging, place)
            placed = True
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if not placed:
            for parent in missing:
                with contextlib.suppress(OSError):
                    parent.rmdir()


def _put(staging: Path, place: Path) -> None:
    if not place.exists():
        os.rename(staging, place)
        return
    old = Path(tempfile.mkdtemp(prefix=".wingrid-", dir=place.parent))
    os.rename(place, old)
    try:
        os.rename(staging, place)
    except OSError:
        os.rename(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
