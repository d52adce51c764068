"""Elaborates a file of Verilog with slang and says what it thinks of it, all warnings on, on standard error."""

from __future__ import annotations

import argparse

from pyslang import driver


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--top", required=True)
    parser.add_argument("--waive", action="append", default=[], help="a warning's name")
    options = parser.parse_args()
    slang = driver.Driver()
    slang.addStandardArgs()
    waivers = " ".join(f"-Wno-{name}" for name in options.waive)
    command = f"slang --top {options.top} -Weverything {waivers} --color-diagnostics=false {options.file}"
    if not (slang.parseCommandLine(command) and slang.processOptions() and slang.parseAllSources()):
        return 2
    compilation = slang.createCompilation()
    slang.reportCompilation(compilation, True)
    slang.runAnalysis(compilation)
    return 0 if slang.reportDiagnostics(True) else 1


if __name__ == "__main__":
    raise SystemExit(main())
