"""Tables where there is little room: texts and names give way, columns move under each other, numbers stay whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size
from rich.table import Column, Table

LEAST_NAME = 12
"""Characters that a name keeps: its end, which tells it from its neighbours."""

LEAST_TEXT = 14
"""Characters of a line in a column of sentences."""


def fitted(table: Table, width: int) -> Iterator[Table]:
    """The table, or the same in several, no more than ``width`` characters wide where that can be.

    Its first column holds names, which are shortened as far as need be; each of several tables begins with it. A name
    and one column stay as wide as they are, whatever the width. Columns of sentences wrap. The title is left out.
    """
    names, *others = table.columns
    needed = [_least(column) for column in others]
    room = width - 1 - sum(width + _apart(table) for width in needed)
    name_width = min(_width(names), max(LEAST_NAME, room - _apart(table)))
    for chosen in _abreast(needed, width - 1 - name_width - _apart(table), _apart(table)):
        yield _excerpt(table, [others[index] for index in chosen], name_width)


def least_width(table: Table) -> int:
    """Characters from side to side below which something would be cut."""
    return 1 + sum(_least(column) + _apart(table) for column in table.columns)


def _apart(table: Table) -> int:
    """Characters between columns."""
    return 1 + table.padding[1] + table.padding[3]


def _width(column: Column) -> int:
    return max(cell_len(line) for text in _texts(column) for line in text.split("\n"))


def _least(column: Column) -> int:
    """Characters that a column cannot do without."""
    if not _wraps(column):
        return _width(column)
    words = [cell_len(word) for text in _texts(column) for word in text.split()]
    return min(_width(column), max(LEAST_TEXT, *words))


def _texts(column: Column) -> list[str]:
    return [str(text) for text in (column.header, *column.cells)]


def _wraps(column: Column) -> bool:
    return column.justify == "left" and not column.no_wrap


def _abreast(widths: Sequence[int], room: int, apart: int) -> Iterator[list[int]]:
    """Indices of columns, in order, in as many groups as the room asks for."""
    group: list[int] = []
    taken = 0
    for index, width in enumerate(widths):
        if group and taken + width + apart > room:
            yield group
            group, taken = [], 0
        group.append(index)
        taken += width + apart
    yield group


def _excerpt(table: Table, columns: Sequence[Column], name_width: int) -> Table:
    """The table with its names, in ``name_width`` characters, and these columns alone."""
    names = table.columns[0]
    made = Table(box=table.box, padding=table.padding, pad_edge=table.pad_edge)
    made.add_column(names.header, no_wrap=True)
    for column in columns:
        made.add_column(column.header, justify=column.justify, no_wrap=not _wraps(column))
    cells = [[_shortened(str(name), name_width) for name in names.cells], *(column.cells for column in columns)]
    for row, line in zip(table.rows, zip(*cells, strict=True), strict=True):
        made.add_row(*line, end_section=row.end_section)
    return made


def _shortened(name: str, width: int) -> str:
    """The end of the name, if it is too long."""
    if cell_len(name) <= width:
        return name
    return "…" + set_cell_size(name[::-1], width - 1)[::-1].strip()
