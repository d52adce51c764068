"""Verilog to a shared library: Verilator, then the C++ compiler, cached under the user's cache folder.

The cache is keyed by everything that shapes the library: the Verilog, the harness, the versions of Verilator
and of the compiler, the processor that it compiles for, and all flags. An entry appears under its
name only when it is complete, and two processes that need the same one build it once.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from wingrid.hw import verilog
from wingrid.hw.config import AXI_PAGE_BYTES, AcceleratorConfig
from wingrid.sim import cache, tools
from wingrid.sim.rtl import rolling, verilator, wide_logic
from wingrid.sim.verilog_text import verilog_text

Progress = Callable[[str], None]
"""Called with one line of text whenever a build gets on; never when the cache holds the result."""

SOURCES = Path(__file__).resolve().parent
HARNESS = SOURCES / "harness.cpp"
SHARED = SOURCES.parent
"""Headers shared with the timing model."""
SHIMS = SOURCES / "shims"
REWRITING = tuple(
    SOURCES / f"{name}.py" for name in ("expressions", "choices", "plain_module", "rolling", "wide_logic")
)
"""What changes the form of the accelerator's Verilog before Verilator sees it."""

VERILATOR_FLAGS = ("--cc", "-O3", "--x-assign", "fast", "--x-initial", "unique", "--output-split", "20000")
COMPILER_FLAGS = (*tools.COMPILER_FLAGS, "-w")
FAST_FLAGS = tuple(os.environ.get("OPT_FAST", "-O3").split())
"""For code that runs every cycle; OPT_FAST is what Verilator's own makefiles call it."""
SLOW_FLAGS = ("-O0",)
"""For code that runs once: construction, random initial values, the declarations of waves."""
RUNTIME_FLAGS = ("-O1",)
"""For Verilator's own library, whose hot parts are inline in its headers."""
UNIT_BYTES = 1_000_000
"""Sources that are smaller together are compiled as one: each alone takes longer for its headers than for itself."""


def accelerator_library(config: AcceleratorConfig, *, waves: bool = False, progress: Progress | None = None) -> Path:
    """The library that simulates the accelerator of ``config``, from the cache or built now."""
    text = verilog_text(config, progress)
    return library(text, config.bus_bytes, waves=waves, progress=progress)


def library(
    text: str,
    bus_bytes: int,
    *,
    waves: bool = False,
    progress: Progress | None = None,
    harness: Path = HARNESS,
    top: str = verilog.TOP,
    waivers: Collection[str] = (),
    fast: tuple[str, ...] | None = None,
) -> Path:
    """The library for a module ``wingrid`` with the accelerator's ports, or for the module ``top`` of another harness.

    ``bus_bytes`` is the width of its AXI4 data bus. With ``waves`` the library can write FST files,
    which makes it slower even while it does not. ``harness`` is what surrounds the module and has the C interface.
    ``waivers`` are names of Verilator's warnings that may come besides those of the accelerator. ``fast`` is how the
    compiler optimises what runs every cycle, by default ``FAST_FLAGS``.
    Raises ``BuildError`` or ``ToolMissing``.
    """
    fast = FAST_FLAGS if fast is None else fast
    folders = sorted({SOURCES, harness.parent, SHARED})
    contents = [path.read_bytes() for folder in folders for path in sorted(folder.glob("*.?pp"))]
    contents += [path.read_bytes() for path in REWRITING]
    flags = (*_verilator_flags(waves), *COMPILER_FLAGS, *fast, *SLOW_FLAGS, *RUNTIME_FLAGS)
    sizes = (str(bus_bytes), str(AXI_PAGE_BYTES), harness.name, top)
    key = cache.key("library", text, *sizes, *flags, *_common_parts(), *contents)
    waived = (*verilator.WAIVERS, *waivers)
    return cache.cached(
        f"rtl/{key}.so", lambda folder: _Build(folder, bus_bytes, waves, progress, harness, top, waived, fast).run(text)
    )


def _common_parts() -> list[str | bytes]:
    """What shapes everything that is compiled for Verilator."""
    shims = [path.read_bytes() for path in sorted(SHIMS.rglob("*.h"))]
    return [verilator.version(), tools.compiler_identity(), *shims]


class _Build:
    """One build in a folder of its own.

    Tools work in that folder and meet Verilator through a link in it, so that they see names without anything that a
    shell, make or JSON would trip over, wherever the folder and the Python packages are.
    """

    def __init__(
        self,
        folder: Path,
        bus_bytes: int,
        waves: bool,
        progress: Progress | None,
        harness: Path,
        top: str,
        waived: Collection[str],
        fast: tuple[str, ...],
    ) -> None:
        self.folder = folder
        self.harness = harness
        self.top = top
        self.waived = waived
        self.fast = fast
        self.waves = waves
        self.progress = progress
        self.tools = tools.Tools()
        defines = ["VM_COVERAGE=0", "VM_SC=0", "VM_TIMING=0", f"VM_TRACE={waves:d}", f"VM_TRACE_FST={waves:d}"]
        defines += ["VM_TRACE_VCD=0", "VM_TRACE_SAIF=0", "VL_USER_FATAL"]
        self.runtime_flags = [*COMPILER_FLAGS, *(f"-D{define}" for define in defines)]
        self.runtime_flags += ["-Ishims", "-Iverilator/include", "-Iverilator/include/vltstd"]
        self.flags = [
            *self.runtime_flags,
            "-I.",
            f"-I{SOURCES}",
            f"-I{SHARED}",
            f"-DWINGRID_BUS_BYTES={bus_bytes}",
            f"-DWINGRID_PAGE_BYTES={AXI_PAGE_BYTES}",
        ]

    def run(self, text: str) -> Path:
        # Waves show every signal under the name that users know.
        if self.top == verilog.TOP and not self.waves:
            text = wide_logic.by_parts(rolling.rolled(text))
        (self.folder / f"{self.top}.v").write_text(text)
        _link(self.folder)
        _report(self.progress, "running Verilator")
        options = [*_verilator_flags(self.waves), *(f"-Wno-{name}" for name in self.waived)]
        options += ["--top-module", self.top, "--prefix", f"V{self.top}", "--Mdir", "."]
        command = [str(verilator.binary()), *options, f"{self.top}.v"]
        self.tools.call(command, "Verilator", self.folder, {"VERILATOR_ROOT": "verilator"})
        made = _sources((self.folder / f"V{self.top}_classes.mk").read_text())
        fast, slow = (self._units(speed, made[f"CLASSES_{speed}"] + made[f"SUPPORT_{speed}"])
                      for speed in ("FAST", "SLOW"))  # fmt: skip
        jobs: list[Callable[[], str]] = []
        jobs += [functools.partial(self._object, source, self.fast) for source in [*fast, self.harness]]
        jobs += [functools.partial(self._runtime_object, name) for name in made["GLOBAL_FAST"] + made["GLOBAL_SLOW"]]
        jobs += [functools.partial(self._object, source, SLOW_FLAGS) for source in slow]
        objects = self._run_all(jobs)
        result = self.folder / "result.so"
        link = ["-shared", "-Wl,--no-undefined", "-o", result.name, *objects, "-lpthread"]
        self.tools.call([*tools.compiler(), *link], "the linker", self.folder)
        return result

    def _units(self, speed: str, names: list[str]) -> list[Path]:
        """Sources that include those of the names, largest first, each of ``UNIT_BYTES`` or a single larger one."""
        units: list[list[Path]] = []
        room = 0
        for source in _largest_first([self.folder / f"{name}.cpp" for name in names]):
            if not units or source.stat().st_size > room:
                units.append([])
                room = UNIT_BYTES
            units[-1].append(source)
            room -= source.stat().st_size
        written = []
        for number, sources in enumerate(units):
            unit = self.folder / f"{speed.lower()}_{number}.cpp"
            unit.write_text("".join(f'#include "{source.name}"\n' for source in sources))
            written.append(unit)
        return written

    def _run_all(self, jobs: list[Callable[[], str]]) -> list[str]:
        objects = []
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            try:
                for made in pool.map(lambda job: job(), jobs):
                    objects.append(made)
                    _report(self.progress, f"compiled {len(objects)} of {len(jobs)} files")
            except BaseException:
                self.tools.stop()
                pool.shutdown(cancel_futures=True)
                raise
        return objects

    def _object(self, source: Path, level: tuple[str, ...]) -> str:
        target = f"{source.stem}.o"
        # Beside the harness are other sources; what is in the folder itself goes by its name.
        name = source.name if source.parent == self.folder else str(source)
        command = [*tools.compiler(), *level, *self.flags, "-c", name, "-o", target]
        self.tools.call(command, f"the compiler on {source.name}", self.folder)
        return target

    def _runtime_object(self, name: str) -> str:
        """A part of Verilator's own library. It does not depend on the design, and is kept."""
        flags = [*RUNTIME_FLAGS, *self.runtime_flags]
        key = cache.key("runtime", name, *flags, *_common_parts())

        def compile_in(folder: Path) -> Path:
            _link(folder)
            command = [*tools.compiler(), *flags, "-c", f"verilator/include/{name}.cpp", "-o", f"{name}.o"]
            self.tools.call(command, f"the compiler on {name}.cpp", folder)
            return folder / f"{name}.o"

        shutil.copyfile(cache.cached(f"runtime/{key}.o", compile_in), self.folder / f"{name}.o")
        return f"{name}.o"


def _link(folder: Path) -> None:
    """Links in a folder to what Verilator's sources need."""
    (folder / "verilator").symlink_to(verilator.root())
    (folder / "shims").symlink_to(SHIMS)


def _sources(makefile: str) -> dict[str, list[str]]:
    """The names, without suffix, of the sources that Verilator's list for make names, by kind."""
    lists = re.findall(r"^VM_(\w+_(?:FAST|SLOW)) \+= \\\n((?:\s+\w+ \\\n)*)", makefile, flags=re.M)
    return {kind: re.findall(r"\w+", names) for kind, names in lists}


def _verilator_flags(waves: bool) -> tuple[str, ...]:
    return (*VERILATOR_FLAGS, *(("--trace-fst", "--trace-structs") if waves else ()))


def _largest_first(sources: list[Path]) -> list[Path]:
    """Large files first, so that no core ends up with one alone at the end."""
    return sorted(sources, key=os.path.getsize, reverse=True)


def _report(progress: Progress | None, text: str) -> None:
    if progress is not None:
        progress(text)
