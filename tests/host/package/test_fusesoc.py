"""FuseSoC reads the core and lints it with Verilator."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from packaged import package

from wingrid.host.files import write_folder
from wingrid.sim.rtl import verilator


def fusesoc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command on the cores in ``folder``, with settings and caches of its own."""
    folder.joinpath("fusesoc.conf").write_text(
        f"[main]\ncache_root = {folder}/cache\nlibrary_root = {folder}/libraries\n"
    )
    main = "import sys; from fusesoc.main import main; sys.exit(main())"
    command = [sys.executable, "-c", main, "--config", "fusesoc.conf", "--cores-root", ".", *arguments]
    return subprocess.run(
        command, cwd=folder, env=verilator.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.rtl
@pytest.mark.slow
def test_its_lint_target_passes_and_fails_when_a_wire_is_missing(tmp_path: Path) -> None:
    write_folder(tmp_path, package())
    done = fusesoc(tmp_path, "run", "--target=lint", "wingrid")
    assert done.returncode == 0, done.stdout
    assert "verilator" in done.stdout
    verilog = tmp_path / "wingrid.v"
    verilog.write_text(verilog.read_text().replace("endmodule", "  wire late = missing_name;\nendmodule", 1))
    failed = fusesoc(tmp_path, "run", "--target=lint", "wingrid")
    assert failed.returncode != 0
    assert "missing_name" in failed.stdout
