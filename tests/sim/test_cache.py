"""Entries of the cache are whole, are what they were made as, and are made once."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wingrid.sim import cache
from wingrid.sim.cache import cache_directory, cached, is_sound, key
from wingrid.sim.tools import BuildError

CONTENT = b"an entry"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WINGRID_CACHE", str(tmp_path / "cache"))
    cache._temporary_home.cache_clear()
    return tmp_path / "cache"


class Maker:
    """Makes entries, and counts."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, folder: Path) -> Path:
        self.made += 1
        (folder / "result").write_bytes(CONTENT)
        return folder / "result"


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WINGRID_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory() == tmp_path / ".cache" / "wingrid"
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_directory() == Path("/somewhere/wingrid")
    monkeypatch.setenv("WINGRID_CACHE", "/else/where")
    assert cache_directory() == Path("/else/where")


def test_relative_folders_are_below_the_current_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WINGRID_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_directory() == tmp_path / "relative" / "wingrid"
    monkeypatch.setenv("WINGRID_CACHE", "here")
    assert cache_directory() == tmp_path / "here"
    monkeypatch.setenv("WINGRID_CACHE", "~/there")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "there"


def test_an_entry_is_made_once_and_nothing_else_is_left(home: Path) -> None:
    make = Maker()
    assert cached("rtl/key.so", make) == cached("rtl/key.so", make) == home / "rtl" / "key.so"
    assert make.made == 1
    assert sorted(path.name for path in home.rglob("*")) == ["key.so", "key.so.sha256", "rtl"]


def test_two_that_need_it_at_once_make_it_once(home: Path) -> None:
    make = Maker()

    def slowly(folder: Path) -> Path:
        time.sleep(0.3)
        return make(folder)

    threads = [threading.Thread(target=cached, args=("rtl/key.so", slowly)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert make.made == 1
    assert is_sound(home / "rtl" / "key.so")


def test_who_waited_for_a_build_that_failed_makes_it_alone(home: Path) -> None:
    """The lock that it waited for is gone, and whoever comes next would make a new one."""
    make = Maker()

    def fail(folder: Path) -> Path:
        time.sleep(0.4)
        raise BuildError("no")

    def slowly(folder: Path) -> Path:
        time.sleep(0.4)
        return make(folder)

    def first() -> None:
        with pytest.raises(BuildError):
            cached("rtl/key.so", fail)

    threads = [threading.Thread(target=first)]
    threads += [threading.Thread(target=cached, args=("rtl/key.so", slowly)) for _ in range(2)]
    threads[0].start()
    time.sleep(0.2)
    threads[1].start()
    threads[0].join()
    time.sleep(0.2)
    threads[2].start()
    for thread in threads[1:]:
        thread.join()
    assert make.made == 1


def test_a_key_knows_where_its_parts_end() -> None:
    assert len({key("ab", "c"), key("a", "bc"), key("abc"), key("ab", b"c", "")}) == 4
    assert key("ab", "c") == key(b"ab", b"c")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    path.write_bytes(CONTENT[:-1])


def _garbage(path: Path) -> None:
    path.write_bytes(b"garbage!")


def _folder(path: Path) -> None:
    path.unlink()
    (path / "x").mkdir(parents=True)


def _gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [_empty, _cut, _garbage, _folder, _gone])
@pytest.mark.parametrize("name", ["key.so", "key.so.sha256"])
def test_a_damaged_entry_is_made_again(home: Path, damage: Callable[[Path], None], name: str) -> None:
    make = Maker()
    cached("rtl/key.so", make)
    damage(home / "rtl" / name)
    assert cached("rtl/key.so", make).read_bytes() == CONTENT
    assert make.made == 2
    assert is_sound(home / "rtl" / "key.so")


def test_who_has_a_damaged_entry_open_is_left_alone(home: Path) -> None:
    """A library that is loaded must not change."""
    path = cached("rtl/key.so", Maker())
    _garbage(path)
    with open(path, "rb") as opened:
        assert cached("rtl/key.so", Maker()).read_bytes() == CONTENT
        assert opened.read() == b"garbage!"


def test_a_failed_build_leaves_nothing(home: Path) -> None:
    def fail(folder: Path) -> Path:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached("rtl/key.so", fail)
    assert [path.name for path in home.rglob("*")] == ["rtl"]
    with pytest.raises(BuildError, match=r"^the tools ended without a failure, and without result\.so$"):
        cached("rtl/key.so", lambda folder: folder / "result.so")
    assert [path.name for path in home.rglob("*")] == ["rtl"]


def test_what_a_killed_process_left_goes(home: Path) -> None:
    old, young = home / "rtl" / ".building-old", home / "rtl" / ".building-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "half").touch()
    os.utime(old, (1, 1))
    cached("rtl/key.so", Maker())
    assert not old.exists()
    assert young.exists(), "somebody may just be about to hold it"


def test_a_folder_that_somebody_holds_stays(home: Path) -> None:
    def meanwhile(folder: Path) -> Path:
        os.utime(folder, (1, 1))
        cached("rtl/other.so", Maker())
        return Maker()(folder)

    assert cached("rtl/key.so", meanwhile).read_bytes() == CONTENT


def _is_a_file(home: Path) -> None:
    home.write_bytes(b"")


def _below_a_file(home: Path) -> None:
    home.mkdir()
    (home / "rtl").write_bytes(b"")


def _leads_nowhere(home: Path) -> None:
    home.symlink_to("/proc/nowhere")


@pytest.mark.parametrize("spoil", [_is_a_file, _below_a_file, _leads_nowhere])
def test_where_nothing_can_be_kept_it_is_made_for_the_process(
    home: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    spoil(home)
    make = Maker()
    with caplog.at_level(logging.WARNING):
        paths = {cached("rtl/key.so", make) for _ in range(3)}
        assert cached("rtl/other.so", make).read_bytes() == CONTENT
    (path,) = paths
    assert path.read_bytes() == CONTENT
    assert make.made == 2
    assert not path.is_relative_to(home)
    (message,) = caplog.messages
    assert message.startswith(f"wingrid: nothing can be kept in {home} (")


def test_what_is_made_for_the_process_goes_with_it(tmp_path: Path) -> None:
    program = (
        "from wingrid.sim.cache import cached\n"
        "def make(folder):\n    (folder / 'made').touch()\n    return folder / 'made'\n"
        "path = cached('rtl/key.so', make)\nassert path.exists()\nprint(path.parents[1])\n"
    )
    environment = {**os.environ, "WINGRID_CACHE": "/dev/null", "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert Path(done.stdout.strip()).parent == tmp_path, done.stderr
    assert list(tmp_path.iterdir()) == []
