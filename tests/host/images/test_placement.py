"""Tensors that are needed at the same time never share a byte."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wingrid.host.images.placement import Need, placed

needs = st.builds(
    lambda size, first, length: Need(size, first, first + length),
    st.integers(1, 50_000),
    st.integers(0, 20),
    st.integers(0, 8),
)


@given(st.lists(needs, max_size=20))
def test_what_is_needed_at_once_lies_apart(wanted: list[Need]) -> None:
    starts, total = placed(wanted)
    for index, (need, start) in enumerate(zip(wanted, starts, strict=True)):
        assert start % 4096 == 0
        assert start + need.bytes <= total
        for other, place in zip(wanted[:index], starts[:index], strict=True):
            together = need.first <= other.last and other.first <= need.last
            assert not together or start + need.bytes <= place or place + other.bytes <= start


def test_a_chain_of_layers_takes_the_room_of_its_largest_pair() -> None:
    sizes = [3, 9, 8, 2, 6]
    chain = [Need(4096 * size, max(index - 1, 0), index) for index, size in enumerate(sizes)]
    assert placed(chain)[1] == 4096 * (9 + 8)
