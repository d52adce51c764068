"""The ring that decides what is still in a buffer, and who must be done before it goes."""

import pytest

from wingrid.host.compiler.residency import NOBODY, Residency, Ring


def test_a_region_is_resident_until_its_entries_are_handed_out_again() -> None:
    ring = Ring(16)
    first, second = ring.allocate(6), ring.allocate(6)
    assert [ring.resident(region.position) for region in (first, second)] == [True, True]
    third = ring.allocate(5)
    assert [ring.resident(region.position) for region in (first, second, third)] == [False, True, True]
    assert [ring.address(region.position) for region in (first, second, third)] == [0, 6, 12]


def test_an_allocation_learns_the_last_user_of_what_it_overwrites() -> None:
    ring = Ring(16)
    first, second = ring.allocate(8), ring.allocate(8)
    assert first.evicted_user == second.evicted_user == NOBODY
    ring.use(first.position, 4, 10)
    ring.use(first.position + 4, 4, 20)
    ring.use(second.position, 8, 30)
    assert ring.allocate(4).evicted_user == 10
    # Half of it lies on the first region's rest, half on the second.
    assert ring.allocate(8).evicted_user == 30


def test_an_allocation_wraps_around_the_end() -> None:
    ring = Ring(16)
    ring.use(ring.allocate(12).position, 12, 5)
    wrapped = ring.allocate(8)
    assert (ring.address(wrapped.position), wrapped.evicted_user) == (12, 5)
    ring.use(wrapped.position, 8, 9)
    assert ring.allocate(8).evicted_user == 5
    assert ring.allocate(4).evicted_user == 9


def test_an_allocation_that_nobody_used_hands_on_whom_it_waited_for() -> None:
    ring = Ring(16)
    ring.use(ring.allocate(16).position, 16, 7)
    assert ring.allocate(16).evicted_user == 7
    assert ring.allocate(4).evicted_user == 7
    unused = ring.allocate(4)
    ring.use(unused.position, 4, 9)
    assert ring.allocate(12).evicted_user == 7
    assert ring.allocate(4).evicted_user == 9


def test_a_region_larger_than_the_buffer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^17 entries do not fit into a buffer of 16$"):
        Ring(16).allocate(17)


def test_a_key_keeps_its_region_while_it_is_resident() -> None:
    residency = Residency(16)
    first = residency.request("a", 8)
    first.record(8, 3)
    assert residency.request("a", 8) is first
    residency.request("b", 8)
    assert residency.request("a", 8) is first
    residency.request("c", 1)
    again = residency.request("a", 8)
    assert again is not first
    assert again.loaded == 0


def test_a_region_knows_which_load_brought_how_much() -> None:
    region = Residency(16).request("a", 8)
    region.record(3, 10)
    region.record(8, 12)
    assert [region.loader(end) for end in (1, 3, 4, 8)] == [10, 10, 12, 12]
