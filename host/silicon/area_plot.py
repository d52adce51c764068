"""A picture of where the area goes."""

from __future__ import annotations

import io

from wingrid.host.silicon.area import OUTSIDE
from wingrid.host.silicon.family import CARRY, LOGIC, SMALL_MEMORY
from wingrid.host.silicon.synth_report import ACCELERATOR, title
from wingrid.host.silicon.synth_result import SynthResult


def drawn(result: SynthResult, suffix: str) -> bytes:
    """A bar per part, the largest on top: its logic, by what makes it up. ``suffix`` is .png or .svg."""
    # Imported here: it takes longer than reading a netlist.
    import matplotlib
    from matplotlib.figure import Figure

    family = result.family
    parts = sorted(
        ((part, area) for part, area in result.areas.items() if part != OUTSIDE),
        key=lambda entry: entry[1].logic(family),
    )
    names = [part or ACCELERATOR for part, _ in parts]
    with matplotlib.rc_context({"svg.hashsalt": "wingrid", "font.size": 8}):
        figure = Figure(figsize=(9, 1 + 0.25 * len(parts)), layout="constrained")
        axes = figure.add_subplot()
        start = [0.0] * len(parts)
        for kind in (LOGIC, CARRY, SMALL_MEMORY):
            widths = [area.counts[kind] * family.logic.get(kind, 0) for _, area in parts]
            if any(widths):
                axes.barh(names, widths, left=start, label=kind)
                start = [before + width for before, width in zip(start, widths, strict=True)]
        axes.set_xlabel(f"look-up tables, of {result.target.logic:,} on {result.target.name}")
        axes.set_xlim(0, 1.03 * max(start))
        axes.set_title(title(result))
        axes.legend(loc="lower right")
        content = io.BytesIO()
        figure.savefig(content, format=suffix.lstrip("."), metadata={"Date": None} if suffix == ".svg" else {})
    return content.getvalue()
