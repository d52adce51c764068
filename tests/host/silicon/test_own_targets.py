"""Targets of users' own: a TOML file with one entry, in the form of those that are built in."""

from pathlib import Path

import pytest

from wingrid.host.errors import UserError
from wingrid.host.silicon.family import FAMILIES
from wingrid.host.silicon.target import built_in, find_target

OWN = """[mine]
maker = "Lattice ECP5, LFE5U-25F on my board"
family = "ecp5"
route = ["--25k", "--package", "CABGA256", "--speed", "{speed}"]
speeds = ["7"]
logic = 24288
multipliers = 28
memories = 56
memory_bits = 18432
"""


def test_a_file_of_ones_own_is_a_target(tmp_path: Path) -> None:
    file = tmp_path / "board.toml"
    file.write_text(OWN)
    found = find_target(str(file))
    assert (found.name, found.speed, found.memories, found.large_memories) == ("mine-7", "7", 56, 0)
    assert found.route == ("--25k", "--package", "CABGA256", "--speed", "7")
    assert found.routes
    file.write_text("\n".join(line for line in OWN.splitlines() if not line.startswith("route")))
    assert not find_target(str(file)).routes


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("logic = 24288\n", "", "mine: logic is missing"),
        ("logic = 24288", "logic = 0", "mine: logic = 0 must be a whole number of at least 1"),
        ("logic = 24288", 'logic = "many"', "mine: logic = 'many' must be a whole number of at least 1"),
        ("logic = 24288", "logic = true", "mine: logic = True must be a whole number of at least 1"),
        ("logic = 24288", "logics = 24288", "mine: there is no field logics; there are maker, family, logic, "),
        ("logic = 24288", "large_memories = -1", "mine: logic is missing"),
        ("memories = 56", "memories = 56\nlarge_memories = -1", "mine: large_memories = -1 must be a whole number of "),
        ('"ecp5"', '"spartan"', "mine: unknown family 'spartan'; there are ecp5, "),
        ('"ecp5"', '""', "mine: family = '' must be a text"),
        ('"ecp5"', '"xc7"', "mine: wingrid has no router for the family xc7: leave route out"),
        ('["7"]', "[]", "mine: speeds = [] must be a list of texts"),
        ('["7"]', "[7]", "mine: speeds = [7] must be a list of texts"),
        ('["--25k", ', "[25, ", "mine: route = [25, '--package', "),
        ("[mine]", "[ecp5-25k]", "ecp5-25k is a built-in target; give yours another name"),
        ("[mine]", "", "must hold one target, a table such as [my-chip]; docs/silicon.md shows one"),
        ("[mine]", "[other]\n[mine]", "must hold one target, a table such as [my-chip]; docs/silicon.md shows one"),
        ("[mine]", "[mine", "is no TOML: "),
    ],
)
def test_what_is_wrong_with_it_is_said_in_a_sentence(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in OWN
    file = tmp_path / "board.toml"
    file.write_text(OWN.replace(old, new, 1))
    with pytest.raises(UserError) as refusal:
        find_target(str(file))
    told = str(refusal.value)
    assert told.startswith(f"{file}")
    assert problem in told
    assert "\n" not in told


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*none\.toml: No such file or directory"):
        find_target(str(tmp_path / "none.toml"))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"bytes\.toml is no TOML: "):
        find_target(str(tmp_path / "bytes.toml"))


def test_built_in_targets_are_whole() -> None:
    chips = [find_target(f"{name}-{speed}") for name, entry in built_in().items() for speed in entry["speeds"]]
    assert {"ecp5-25k-6", "ecp5-45k-8", "ecp5-85k-6", "xc7a35t-1", "xc7a100t-1", "xc7z020-1", "xc7z045-1"} <= {
        chip.name for chip in chips
    }
    for chip in chips:
        family = FAMILIES[chip.family]
        assert not chip.routes or family.router is not None
        assert not any("{" in text for text in chip.route)
        assert chip.logic > chip.memories > 0
        assert not chip.large_memories or "large memories" in {kind for kind, _ in family.cells.values()}
    assert find_target("xck26-2").large_memories == 64
    assert find_target("xczu9eg-2").large_memories == 0
