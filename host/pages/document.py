"""A page of HTML that needs nothing else: style, tables that sort, and figures by Plotly.js, which it carries along.

Figures are Plotly's, as dictionaries of ``data`` and ``layout`` (https://plotly.com/javascript/reference/). A page
without figures has no script but the one that sorts.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Figure = Mapping[str, Any]
"""``data`` and ``layout``, as JSON has them."""

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #d0d7de }
table { border-collapse: collapse; display: block; overflow-x: auto } td, th { padding: .2rem .7rem; text-align: left }
tr:nth-child(even) { background: #f6f8fa } td.number { text-align: right; font-variant-numeric: tabular-nums }
th[data-sorts] { cursor: pointer; white-space: nowrap } th[data-sorts]::after { content: " \\2195"; color: #8c959f }
th[aria-sort=ascending]::after { content: " \\2191" } th[aria-sort=descending]::after { content: " \\2193" }
.good { color: #116329 } .bad { color: #a40e26; font-weight: bold } .unknown { color: #6e7781 }
figure { margin: .5rem 0; overflow: hidden } figure > svg { max-width: 100%; height: auto } code { font-size: .9em }
select { font: inherit; max-width: 100% }
@media (prefers-color-scheme: dark) { body { background: #0d1117; color: #e6edf3 }
  tr:nth-child(even) { background: #161b22 }
  .good { color: #3fb950 } .bad { color: #f85149 } figure { background: #fff; padding: .5rem } }
@media print { body { margin: 0; max-width: none } h2 { break-after: avoid } figure, tr { break-inside: avoid }
  table { display: table; font-size: .75em } select, .modebar { display: none !important } }
"""

_SORT = """
for (const head of document.querySelectorAll("th[data-sorts]")) {
  const sort = () => {
    const table = head.closest("table"), column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const compare = (a, b) => isNaN(a) || isNaN(b) ? String(a).localeCompare(String(b)) : a - b;
    const rows = [...table.querySelectorAll("tr[data-row]")];
    rows.sort((a, b) => (down ? -1 : 1) * compare(value(a), value(b)));
    for (const row of rows) row.parentElement.insertBefore(row, table.querySelector("tr[data-last]"));
  };
  head.addEventListener("click", sort);
  head.addEventListener("keydown", event => { if (event.key === "Enter") sort(); });
}
"""

_DRAW = """
const options = {responsive: true, displaylogo: false};
for (const box of document.querySelectorAll("[data-figures]")) {
  const figures = JSON.parse(box.querySelector("script").textContent);
  const place = box.querySelector("div");
  const draw = index => Plotly.react(place, figures[index].data, figures[index].layout, options);
  draw(0);
  const choice = box.querySelector("select");
  if (choice) choice.addEventListener("change", () => draw(choice.selectedIndex));
}
addEventListener("beforeprint", () => {
  for (const plot of document.querySelectorAll(".js-plotly-plot")) Plotly.Plots.resize(plot);
});
"""


@dataclass(frozen=True)
class Section:
    """A heading, and what stands under it, as HTML."""

    heading: str
    content: str
    figures: Mapping[str, Sequence[tuple[str, Figure]]] = field(default_factory=dict)
    """Under the content: by the name of a place, the figures that can be chosen there, each with its label."""


def page(title: str, sections: Iterable[Section]) -> str:
    """The text of the page."""
    sections = list(sections)
    body = "\n".join(_section(section) for section in sections)
    scripts = [_SORT]
    if any(section.figures for section in sections):
        # Imported here: it takes longer than all else here.
        from plotly.offline import get_plotlyjs

        scripts = [get_plotlyjs(), _SORT, _DRAW]
    tail = "\n".join(f"<script>{script}</script>" for script in scripts)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n<body><h1>{html.escape(title)}</h1>\n{body}\n{tail}\n</body></html>\n"
    )


def _section(section: Section) -> str:
    boxes = "".join(_box(name, figures) for name, figures in section.figures.items())
    return f"<section><h2>{html.escape(section.heading)}</h2>\n{section.content}{boxes}</section>"


def _box(name: str, figures: Sequence[tuple[str, Figure]]) -> str:
    choice = ""
    if len(figures) > 1:
        options = "".join(f"<option>{html.escape(label)}</option>" for label, _ in figures)
        choice = f'<label>Layer: <select id="{name}-choice">{options}</select></label>'
    # Within a script, only this ends it.
    data = json.dumps([figure for _, figure in figures], separators=(",", ":")).replace("</", "<\\/")
    return (
        f'<figure data-figures>{choice}<div id="{name}"></div>'
        f'<script type="application/json">{data}</script></figure>\n'
    )


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>\n"


def drawing(svg: str) -> str:
    """A picture within the page: without the head of a file, which HTML does not take."""
    return f"<figure>{svg[svg.index('<svg') :]}</figure>\n"


def verdict(value: bool | None) -> str:
    """What a check found, in colour."""
    kind, text = {True: ("good", "yes"), False: ("bad", "no"), None: ("unknown", "not run, or does not apply")}[value]
    return f'<span class="{kind}">{text}</span>'


def facts(rows: Iterable[tuple[str, Any]]) -> str:
    """A table of names and plain texts."""
    return table([], ([html.escape(str(name)), html.escape(str(value))] for name, value in rows))


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], last: Sequence[Any] | None = None) -> str:
    """A table that sorts by the heads; cells are HTML already, or numbers. ``last`` stays at the end."""
    lines = []
    if heads:
        cells = "".join(f'<th data-sorts tabindex="0">{html.escape(head)}</th>' for head in heads)
        lines.append(f"<tr>{cells}</tr>")
    lines += [f"<tr data-row>{''.join(map(_cell, row))}</tr>" for row in rows]
    if last is not None:
        lines.append(f"<tr data-last>{''.join(map(_cell, last))}</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>\n"


def _cell(cell: Any) -> str:  # noqa: ANN401 (HTML or a number)
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        shown = f"{cell:,}" if isinstance(cell, int) else f"{cell:,.2f}"
        return f'<td class="number" data-value="{cell}">{shown}</td>'
    return f"<td>{'-' if cell is None else cell}</td>"
