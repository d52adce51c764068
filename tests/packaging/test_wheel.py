"""What users install: a wheel that holds all it needs, and meets no folder of theirs by name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from wingrid.hw.version import version

ROOT = Path(__file__).resolve().parents[2]
NAME = f"wingrid-{version()}"
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "src", "hw", "sim", "host")
"""What the packages are built from, in a copy: a build leaves files behind, some of which the next one would take."""

# One process builds and installs for all.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]


def call(*command: object, folder: Path) -> str:
    """Standard output of a command that must succeed, with nothing said about where to find modules."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([str(part) for part in command], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        else:
            shutil.copy(ROOT / name, tree / name)
    call(sys.executable, "-c", "from setuptools import build_meta; build_meta.build_sdist('dist')", folder=tree)
    return tree / "dist" / f"{NAME}.tar.gz"


@pytest.fixture(scope="module")
def wheel(source_archive: Path) -> Path:
    """Built of the source archive, as by anyone for whom there is no wheel."""
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    call(*pip, source_archive, folder=source_archive.parent)
    return source_archive.parent / f"{NAME}-py3-none-any.whl"


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel, and with what it depends on from the one of the tests."""
    environment = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", environment, folder=environment)
    python = environment / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index")
    call(*pip, wheel, folder=environment)
    # Only names in this folder are found. It is not searched for .pth files, so wingrid's editable install is not.
    own = call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=environment).strip()
    (Path(own) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


@pytest.fixture
def users_folder(tmp_path: Path) -> Path:
    """A project whose modules have the names of Wingrid's folders, and must not be imported by it."""
    for name in ("hw/__init__.py", "sim.py", "host/__init__.py", "tests/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise RuntimeError('this is the user\\'s own module')\n")
    return tmp_path


def test_the_source_archive_holds_folders_in_place_of_links(source_archive: Path) -> None:
    with tarfile.open(source_archive) as archive:
        members = archive.getmembers()
    assert not [member.name for member in members if member.issym() or member.islnk()]
    names = {member.name for member in members}
    assert {f"{NAME}/LICENSE", f"{NAME}/NOTICE", f"{NAME}/src/wingrid/hw/core.py"} <= names


def test_the_wheel_holds_one_package_with_all_of_its_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(f"{NAME}.dist-info/METADATA").decode()
    assert {name.split("/")[0] for name in names} == {"wingrid", f"{NAME}.dist-info"}
    for folder in ("hw", "sim", "host"):
        kinds = [".py", ".hpp", ".cpp", ".h", ".c", ".S", ".ld", ".v", ".toml", ".onnx", ".npz", ".txt"]
        files = {path for path in (ROOT / folder).rglob("*") if path.suffix in kinds and path.is_file()}
        assert files
        assert {f"wingrid/{path.relative_to(ROOT)}" for path in files} <= names
    assert "wingrid/py.typed" in names
    licences = ["LICENSE", "NOTICE", *(str(path.relative_to(ROOT)) for path in ROOT.glob("host/networks/*/LICENSE-*"))]
    assert {f"{NAME}.dist-info/licenses/{name}" for name in licences} <= names
    assert len(licences) == 4
    assert "License-Expression: Apache-2.0" in metadata


def test_it_is_imported_where_its_folders_names_are_taken(installed: Path, users_folder: Path) -> None:
    code = "import wingrid; wingrid.estimate; print(wingrid.__file__)"
    assert Path(call(installed / "python", "-c", code, folder=users_folder).strip()).is_relative_to(installed.parent)
    assert "vgg16" in call(installed / "python", "-m", "wingrid", "networks", folder=users_folder)


@pytest.mark.rtl
def test_it_builds_a_simulator_and_runs_a_product(installed: Path, users_folder: Path) -> None:
    config = ROOT / "configs" / "tiny-4x4.toml"
    said = call(installed / "wingrid", "matmul", 4, 5, 6, "--config", config, "--json", "-", folder=users_folder)
    assert '"exact": true' in said
    assert '"timing_equal": true' in said
