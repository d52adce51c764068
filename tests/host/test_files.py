"""What a path stands for is respected, and what was there stays whole when writing fails."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from devices import device

from wingrid.host import files
from wingrid.host.errors import UserError
from wingrid.host.files import (
    is_standard_output,
    require_folder,
    require_outputs,
    require_writable,
    staged,
    write_array,
    write_folder,
    write_whole,
)

BEFORE, AFTER = b"what was there before, and is longer", b"what came"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(BEFORE)
    path.chmod(0o640)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def written(path: Path) -> None:
    require_writable(path)
    write_whole(path, AFTER)


def test_a_new_file_has_the_mode_of_any_other(tmp_path: Path) -> None:
    written(tmp_path / "new")
    (tmp_path / "other").touch()
    assert (tmp_path / "new").read_bytes() == AFTER
    assert mode(tmp_path / "new") == mode(tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "other"]


@pytest.mark.parametrize("bits", [0o600, 0o644, 0o666, 0o755])
def test_a_file_keeps_its_mode(file: Path, bits: int) -> None:
    file.chmod(bits)
    written(file)
    assert (file.read_bytes(), mode(file)) == (AFTER, bits)


def test_a_file_keeps_its_owner(file: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    os.chown(file, 12, 34)
    written(file)
    assert (file.stat().st_uid, file.stat().st_gid, mode(file)) == (12, 34, 0o640)


def test_an_owner_that_cannot_be_given_to_a_new_file_stays(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    inode = file.stat().st_ino
    monkeypatch.setattr(os, "chown", refuse)
    if not os.geteuid():
        os.lchown(file, 12, 34)
    written(file)
    assert file.read_bytes() == AFTER
    assert os.geteuid() or file.stat().st_ino == inode


@pytest.mark.parametrize("exists", [True, False])
def test_links_are_followed_and_stay(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "folder" / "target"
    target.parent.mkdir()
    if exists:
        target.write_bytes(BEFORE)
        target.chmod(0o600)
    (tmp_path / "folder" / "second").symlink_to("target")
    (tmp_path / "first").symlink_to(Path("folder") / "second")
    written(tmp_path / "first")
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "folder" / "second").is_symlink()
    assert target.read_bytes() == AFTER
    assert not target.is_symlink()
    assert not exists or mode(target) == 0o600


def test_other_names_of_a_file_see_what_is_written(file: Path) -> None:
    os.link(file, file.with_name("other"))
    written(file)
    assert file.with_name("other").read_bytes() == AFTER
    assert file.stat().st_nlink == 2
    assert mode(file) == 0o640


def test_devices_are_written_through(tmp_path: Path) -> None:
    null = device("null", tmp_path)
    before = null.stat()
    (tmp_path / "link").symlink_to(null)
    for path in (null, tmp_path / "link"):
        written(path)
    assert null.stat().st_ino == before.st_ino
    assert stat.S_ISCHR(null.lstat().st_mode)
    assert (tmp_path / "link").is_symlink()


def test_a_full_device_is_told_in_a_sentence(tmp_path: Path) -> None:
    full = device("full", tmp_path)
    with pytest.raises(UserError, match=r"^cannot write .*/full: No space left on device$"):
        written(full)
    assert stat.S_ISCHR(full.lstat().st_mode)


def test_pipes_are_written_through(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = AFTER * 20_000  # more than a pipe holds
    came: list[bytes] = []
    reader = threading.Thread(target=lambda: came.append(pipe.read_bytes()))
    reader.start()
    require_writable(pipe)
    write_whole(pipe, content)
    reader.join()
    assert came == [content]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", ["-", "link", "/dev/fd/1", "/proc/self/fd/1"])
def test_names_of_standard_output(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to("/proc/self/fd/1")  # as /dev/stdout is one
    assert is_standard_output("/dev/stdout")
    assert is_standard_output(name)
    written(Path(name))
    assert capfdbinary.readouterr().out == AFTER
    assert [path.name for path in tmp_path.iterdir()] == ["link"]
    assert Path("link").is_symlink()


def test_another_open_file_goes_on_where_it_is(file: Path, tmp_path: Path) -> None:
    with open(file, "ab") as opened:
        (tmp_path / "link").symlink_to(f"/dev/fd/{opened.fileno()}")
        assert not is_standard_output(tmp_path / "link")
        written(tmp_path / "link")
    assert file.read_bytes() == BEFORE + AFTER


def test_standard_output_into_a_file_is_not_replaced(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path\nfrom wingrid.host.files import write_whole\n"
        "print('first')\nwrite_whole(Path('/proc/self/fd/1'), b'second\\n')\nprint('third')\n"
    )
    with open(tmp_path / "out", "wb") as out:
        subprocess.run([sys.executable, "-c", program], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "first\nsecond\nthird\n"


def refused(path: Path, message: str) -> None:
    with pytest.raises(UserError, match=message):
        require_writable(path)


def test_what_cannot_be_written_is_refused_before_work(tmp_path: Path, file: Path) -> None:
    file.chmod(0o444)
    refused(file, r"file: it is read-only$")
    refused(tmp_path, r": it is a folder$")
    refused(tmp_path / "none" / "x", r": .*/none is no folder$")
    refused(file / "x", r": .*/file is no folder$")
    (tmp_path / "loop").symlink_to("loop")
    refused(tmp_path / "loop", r"loop: Too many levels of symbolic links$")
    (tmp_path / "astray").symlink_to("none/x")
    refused(tmp_path / "astray", r"astray: .*/none is no folder$")
    refused(tmp_path / ("x" * 300), r": File name too long$")
    assert (file.read_bytes(), mode(file)) == (BEFORE, 0o444)


def test_outputs_must_not_overwrite_each_other(tmp_path: Path, file: Path) -> None:
    os.link(file, tmp_path / "other")
    (tmp_path / "link").symlink_to("new")
    for first, second in ((file, file), (file, tmp_path / "other"), (tmp_path / "new", tmp_path / "link")):
        with pytest.raises(UserError, match=r"^--json and --csv cannot both go to /"):
            require_outputs({"--json": first, "--plot": None, "--csv": second})
    with pytest.raises(UserError, match=r"^--json and --csv cannot both go to standard output$"):
        require_outputs({"--json": "-", "--csv": Path("/dev/stdout")})
    require_outputs({"--json": "/dev/null", "--csv": Path("/dev/null"), "--plot": file})


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """Without room for more bytes in any file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("names", [1, 2])
def test_a_file_is_whole_when_writing_fails(file: Path, names: int) -> None:
    if names == 2:
        os.link(file, file.with_name("other"))
    with pytest.raises(UserError, match=r"^cannot write .*file: File too large$"), room_for(5):
        write_whole(file, AFTER)
    assert file.stat().st_size == len(BEFORE)
    assert mode(file) == 0o640
    assert sorted(path.name for path in file.parent.iterdir()) == ["file", "other"][:names]


def test_a_file_with_two_names_gets_back_what_it_held(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.link(file, file.with_name("other"))
    copy, calls = files._copy, iter(range(9))

    def fail_once(content: object, target: object) -> None:
        copy(content, target)
        if next(calls) == 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "_copy", fail_once)
    with pytest.raises(UserError, match="No space left on device"):
        write_whole(file, AFTER)
    assert file.read_bytes() == BEFORE


@pytest.mark.parametrize("end", [KeyboardInterrupt, ValueError])
def test_what_is_interrupted_leaves_nothing(file: Path, end: type[BaseException]) -> None:
    def interrupted() -> None:
        with staged(file) as place:
            place.write_bytes(AFTER)
            raise end

    with pytest.raises(end):
        interrupted()
    assert [path.read_bytes() for path in file.parent.iterdir()] == [BEFORE]


def test_arrays_go_anywhere(tmp_path: Path) -> None:
    write_array(tmp_path / "x.npy", np.arange(4))
    assert np.array_equal(np.load(tmp_path / "x.npy"), np.arange(4))
    write_array(device("null", tmp_path), np.arange(4))


def _folder(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder"


def _link_to_nothing(tmp_path: Path) -> Path:
    (tmp_path / "link").symlink_to("nothing")
    return tmp_path / "link"


@pytest.mark.parametrize("make", [_folder, _link_to_nothing])
def test_folders_are_made(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    folder = make(tmp_path)
    require_folder(folder)
    assert write_folder(folder, {"a": b"1", "b": b"2"}) == [folder / "a", folder / "b"]
    assert [(folder / name).read_bytes() for name in "ab"] == [b"1", b"2"]
    (folder / "a").chmod(0o600)
    write_folder(folder, {"a": b"3", "b": b"4"})
    assert mode(folder / "a") == 0o600


def test_folders_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kept" / "b").mkdir(parents=True)
    with pytest.raises(UserError, match=r"cannot write .*/b: it is a folder"):
        write_folder(tmp_path / "kept", {"a": b"1", "b": b"2"})
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["b"]
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write into .*/file"):
        write_folder(tmp_path / "file" / "x", {"a": b"1"})

    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"^cannot write into .*: No space left on device$"):
        write_folder(tmp_path / "new" / "folder", {"a": b"1", "b": b"2"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "kept"]
