"""Draws the diagrams of ``docs/diagrams``, each from the small text of the same name beside it.

    python docs/draw_diagrams.py

``weight-tiles`` is not drawn by hand: the matrix unit is simulated, and what its registers held becomes the picture.
"""

from __future__ import annotations

import argparse
import io
import itertools
import re
import tomllib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import schemdraw
from amaranth.lib import data, stream
from amaranth.sim import Simulator, SimulatorContext
from schemdraw.backends import svg
from schemdraw.elements import Element
from schemdraw.flow import Box
from schemdraw.logic import TimingDiagram
from schemdraw.segments import Segment, SegmentCircle, SegmentPoly, SegmentText, SegmentType
from schemdraw.types import Halign
from vcd.reader import ScalarChange, ScopeDecl, TokenKind, VarDecl, VectorChange, tokenize

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.matrix_unit import PAYLOAD_LATENCY, MatrixUnit

SOURCES = Path(__file__).resolve().parent / "diagrams"

Point = tuple[float, float]
Words = Sequence[tuple[str, float, str]]
"""Lines of text with size and colour."""

INK, FAINT, EDGE, PAPER = "#222222", "#666666", "#9a9a9a", "#ffffff"
NAME_SIZE, TEXT_SIZE, NOTE_SIZE = 12.5, 10.5, 9.5
LINE, MARGIN = 0.4, 0.4
"""From one line of text to the next, and around a picture, in drawing units of 36 points."""


class Sketch(Element):
    """Segments at places of the drawing; of what overlaps, the greater ``zorder`` is in front."""

    def __init__(self, *segments: SegmentType) -> None:
        super().__init__()
        self.segments.extend(segments)
        self.at((0, 0))


def panel(left: float, top: float, right: float, bottom: float, fill: str, zorder: int) -> SegmentPoly:
    """A rectangle."""
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return SegmentPoly(corners, fill=fill, color=EDGE, lw=1, zorder=zorder)


def writing(at: Point, words: Words, align: Halign = "center") -> Iterator[SegmentText]:
    """Lines of text below each other, ``at`` the middle of the first one."""
    for number, (line, size, colour) in enumerate(words):
        place = at[0], at[1] - number * LINE
        yield SegmentText(place, line, align=(align, "center"), fontsize=size, color=colour, zorder=5)


# The block diagram.

PITCH = (4.7, 1.75)
"""From a column of the block diagram's grid to the next, and from a row to the next."""
BOX = (3.6, 1.15)
"""Width and height of a box of one column and one row."""
FOLDER_MARGIN, FOLDER_TITLE = 0.22, 0.5


def draw_blocks(drawing: schemdraw.Drawing, source: dict[str, Any]) -> None:
    """Folders, the boxes in them, and arrows between boxes."""
    boxes: dict[str, Element] = {}
    for folder in source["folder"]:
        members = [(box["id"], drawing.add(_box(box))) for box in folder["box"]]
        boxes.update(members)
        corners = [element.absanchors[corner] for _, element in members for corner in ("SW", "NE")]
        left, right = min(x for x, _ in corners) - FOLDER_MARGIN, max(x for x, _ in corners) + FOLDER_MARGIN
        bottom, top = min(y for _, y in corners) - FOLDER_MARGIN, max(y for _, y in corners) + FOLDER_TITLE
        title = writing((left + FOLDER_MARGIN, top - FOLDER_TITLE / 2), [(folder["name"], 11, FAINT)], "left")
        drawing.add(Sketch(panel(left, top, right, bottom, folder["colour"], -5), *title))
    for port in source["port"]:
        place = _place(port["at"])
        boxes[port["id"]] = drawing.add(Box(w=2.3, h=0.5).color(PAPER).at(place).anchor("center"))
        drawing.add(Sketch(*writing(place, [(port["name"], 11, INK)])))
    for number, kind in enumerate(source["kind"]):
        style = {"color": kind["colour"], "ls": "--" if kind.get("dashed") else "-", "lw": 1.5, "zorder": 3}
        style |= {"arrowwidth": 0.2, "arrowlength": 0.25}
        for arrow in kind["arrow"]:
            points = list(_way(arrow["way"], boxes))
            label = writing(_beside(points), [(arrow.get("label", ""), NOTE_SIZE, kind["colour"])])
            drawing.add(Sketch(Segment(points, arrow="<->" if arrow.get("both") else "->", **style), *label))
            if dot := arrow.get("dot"):
                drawing.add(Sketch(SegmentCircle(_place(dot), 0.08, color=kind["colour"], fill=kind["colour"])))
        x, y = _place(source["legend"])
        y -= number * LINE
        key = writing((x + 1.4, y), [(kind["name"], TEXT_SIZE, INK)], "left")
        drawing.add(Sketch(Segment([(x, y), (x + 1.2, y)], arrow="->", **style), *key))


def _place(at: Sequence[float]) -> Point:
    return at[0] * PITCH[0], -at[1] * PITCH[1]


def _box(box: dict[str, Any]) -> Element:
    across, down = box.get("size", (1, 1))
    element = Box(w=(across - 1) * PITCH[0] + BOX[0], h=(down - 1) * PITCH[1] + BOX[1])
    element.at(_place(box["at"])).anchor("center").fill(PAPER).color(INK).linewidth(1.2)
    lines = [(box["name"], NAME_SIZE, INK), *((file, NOTE_SIZE, FAINT) for file in box["files"])]
    lines += [(line, TEXT_SIZE, INK) for line in box.get("lines", [])]
    for number, (line, size, colour) in enumerate(lines):
        height = ((len(lines) - 1) / 2 - number) * LINE
        element.label(line, loc="center", ofst=(0, height), fontsize=size, color=colour)
    return element


def _way(way: Sequence[Any], boxes: dict[str, Element]) -> Iterator[Point]:
    """Corners of an arrow that leaves a box across its edge, turns at each number, and then to meet its end."""
    first, *turns, last = way
    start, end = _end(first, boxes), _end(last, boxes)
    axis = 0 if first.split(".")[1][0] in "EW" else 1
    point = list(start)
    yield start
    for turn in (*turns, None, None):
        goal = end[axis] if turn is None else _place((turn, turn))[axis]
        if abs(goal - point[axis]) > 1e-6:
            point[axis] = goal
            yield point[0], point[1]
        axis = 1 - axis


def _end(name: str, boxes: dict[str, Element]) -> Point:
    """The middle of a box's side, as "box.E", or another place of it, as "box.E 4.25" (in row 4.25)."""
    anchor, _, shifted = name.partition(" ")
    box, side = anchor.split(".")
    x, y = boxes[box].absanchors[side]
    if shifted:
        column, row = _place((float(shifted), float(shifted)))
        x, y = (x, row) if side in "EW" else (column, y)
    return x, y


def _beside(points: Sequence[Point]) -> Point:
    """Where the middle of an arrow's label is: above its longest level stretch, or right of it if it has none."""
    level = [(abs(x - to_x), (x + to_x) / 2, y) for (x, y), (to_x, to_y) in itertools.pairwise(points) if y == to_y]
    if level:
        _, x, y = max(level)
        return x, y + 0.22
    return points[0][0] + 0.7, (points[0][1] + points[1][1]) / 2


# The loop nest.

LEVEL_HEIGHT, STEP = 1.5, 0.12
"""Height of a level without those inside, and how far the others lie inside its right and lower edge."""
INDENT, LOOPS_WIDTH, CELL = 0.45, 14.6, 4.8


def draw_loops(drawing: schemdraw.Drawing, source: dict[str, Any]) -> None:
    """A level inside the other, and beside each what the buffers hold."""
    levels, columns = source["level"], source["column"]
    depths = [level["depth"] for level in levels] + [0]
    edge = LOOPS_WIDTH + len(columns) * CELL + STEP * max(depths)
    for number, column in enumerate(columns):
        at = LOOPS_WIDTH + (number + 0.5) * CELL, 0.4
        drawing.add(Sketch(*writing(at, [(column["name"], NAME_SIZE, INK)])))
    # Where a level has no other inside, those that end with it are closed below it.
    closed = [max(0, depth - following + 1) for depth, following in itertools.pairwise(depths)]
    tops = [-row * LEVEL_HEIGHT - sum(closed[:row]) * STEP for row in range(len(depths))]
    for row, (level, top, depth) in enumerate(zip(levels, tops, depths, strict=False)):
        end = next(i for i in range(row + 1, len(depths)) if depths[i] <= depth)
        bottom = tops[end] + (depth - depths[end] + 1) * STEP
        shade = "#fafafa" if depth % 2 else "#efefef"
        words = [(level["name"], NAME_SIZE, INK), (level["note"], NOTE_SIZE, FAINT)]
        drawing.add(
            Sketch(
                panel(depth * INDENT, top, edge - depth * STEP, bottom, shade, depth - 20),
                *writing((depth * INDENT + 0.25, top - 0.5), words, "left"),
            )
        )
        for number, column in enumerate(columns):
            if cell := level["holds"].get(column["name"]):
                x = LOOPS_WIDTH + number * CELL + 0.1
                words = [(cell[0], TEXT_SIZE, INK), *((line, NOTE_SIZE, FAINT) for line in cell[1:])]
                box = panel(x, top - 0.1, x + CELL - 0.2, top - LEVEL_HEIGHT + 0.1, column["colour"], -1)
                drawing.add(Sketch(box, *writing((x + CELL / 2 - 0.1, top - LEVEL_HEIGHT / 2 + LINE), words)))
    drawing.add(Sketch(*writing((0, tops[-1] - 0.3), [(source["caption"], TEXT_SIZE, FAINT)], "left")))


# The weight tiles.

Trace = list[dict[str, int]]
"""Values by name in each cycle, as they are just before its clock edge; names begin below the matrix unit."""

Known = dict[int, tuple[str, int]]
"""What a value is drawn as: a label, and the number of the weight tile that gives it its colour."""


def draw_weight_tiles(drawing: schemdraw.Drawing, source: dict[str, Any]) -> None:
    """What the matrix unit's registers hold, cycle by cycle, in the mesh's first column."""
    lanes = weight_tile_lanes(source)
    diagram = drawing.add(TimingDiagram(lanes, ygap=0.2, namecolor=INK, tickcolor=FAINT, fontsize=11))
    words = [(line, TEXT_SIZE, FAINT) for line in source["explanation"]]
    drawing.add(Sketch(*writing((0, diagram.get_bbox().ymin - 0.5), words, "left")))


def weight_tile_lanes(source: dict[str, Any]) -> dict[str, Any]:
    """The timing diagram as WaveJSON."""
    rows, count, tiles = source["rows"], source["vectors"], list(enumerate(source["names"]))
    # Each weight and each vector has a number of its own, so that it is known again wherever it is met.
    weights = {1 + tile * rows + row: (f"{name}{row}", tile) for tile, name in tiles for row in range(rows)}
    vectors = {1 + tile * count + i: (f"{name.lower()}{i}", tile) for tile, name in tiles for i in range(count)}
    columns = [sum(weight for weight, (_, of) in weights.items() if of == tile) for tile, _ in tiles]
    sums = {vector * columns[tile]: (label, tile) for vector, (label, tile) in vectors.items()}
    assert len(sums) == len(vectors), "no two vectors have the same sum"
    trace = simulate(source, sorted(weights), sorted(vectors))

    def wave(states: Sequence[str], seen: Sequence[int]) -> str:
        return "".join("." if i and value == seen[i - 1] else states[i] for i, value in enumerate(seen))

    def lane(caption: str, register: str, known: Known, *only_if: str) -> dict[str, Any]:
        seen = [cycle[register] if all(cycle[name] for name in only_if) else 0 for cycle in trace]
        states = [source["colours"][known[value][1]] if value else "e" for value in seen]
        labels = [known[value][0] for value, _ in itertools.groupby(seen) if value]
        return {"name": source["captions"][caption], "wave": wave(states, seen), "data": labels}

    def bit(name: str) -> dict[str, Any]:
        seen = [cycle[name] for cycle in trace]
        return {"name": source["captions"][name], "wave": wave([str(value) for value in seen], seen)}

    signal: list[Any] = [
        lane("weights", "mesh.weights[0]", weights, f"load_{PAYLOAD_LATENCY - 1}"),
        bit("loaded"),
        bit("swaps"),
        lane("vectors", "mesh.vector[0]", vectors, "vector_enters"),
    ]
    for row in range(rows):
        element = f"mesh.element_{row}_0"
        known = {"shadow": weights, "active": weights, "activation": vectors}
        signal += [{}, [f"row {row}", *(lane(name, f"{element}.{name}", known[name]) for name in known)]]
    signal += [{}, lane("sums", "sums.lanes[0]", sums, "sums.valid")]
    taken = ",".join(str(number) for number, cycle in enumerate(trace) if cycle["swaps"])
    return {"signal": signal, "head": {"tock": 0}, "shade": [f"{taken} * {source['shade']}"]}


def simulate(source: dict[str, Any], weights: Sequence[int], vectors: Sequence[int]) -> Trace:
    """Stream the tiles' weights and vectors into a matrix unit, without a pause of their own."""
    rows, columns, count = source["rows"], source["columns"], source["vectors"]
    config = AcceleratorConfig(rows=rows, cols=columns, winograd=0)
    dut = MatrixUnit(config, 1)

    async def send(
        ctx: SimulatorContext,
        port: stream.Interface,
        lanes: data.View[Any],
        width: int,
        numbers: Sequence[int],
        pause: int,
    ) -> None:
        """Transfer all of them; lanes come ``PAYLOAD_LATENCY`` cycles later, and zeros else."""
        for _ in range(pause):
            await ctx.tick()
        due = deque([0] * PAYLOAD_LATENCY)
        sent = 0
        while sent < len(numbers) or any(due):
            waits = sent < len(numbers)
            ctx.set(port.valid, waits)
            if port is dut.vectors:
                ctx.set(port.payload.first, waits and sent % count == 0)
            ctx.set(lanes, [due.popleft()] * width)
            taken = waits and ctx.get(port.ready)
            due.append(numbers[sent] if taken else 0)
            sent += bool(taken)
            await ctx.tick()
        ctx.set(lanes, [0] * width)

    async def send_weights(ctx: SimulatorContext) -> None:
        last_row_first = [w for tile in range(0, len(weights), rows) for w in reversed(weights[tile : tile + rows])]
        await send(ctx, dut.weights, dut.weights.payload, columns, last_row_first, 0)

    async def send_vectors(ctx: SimulatorContext) -> None:
        await send(ctx, dut.vectors, dut.vectors.payload.lanes, rows, vectors, rows)
        await ctx.tick().repeat(dut.latency_for(config))

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(send_weights)
    simulator.add_testbench(send_vectors)
    waves = io.StringIO()
    with simulator.write_vcd(waves):
        simulator.run()
    return list(_cycles(waves.getvalue()))


def _cycles(waves: str) -> Iterator[dict[str, int]]:
    """All values before each rising edge of the clock, from a value change dump."""
    # The reader refuses names that begin with a dollar sign, as those of a memory's ports do.
    tokens = tokenize(io.BytesIO(waves.replace(" $signature", " signature").encode()))
    scopes: list[str] = []
    codes: dict[str, str] = {}
    values: dict[str, int] = {}
    changes: dict[str, int] = {}
    for token in tokens:
        match token.data:
            case ScopeDecl() as scope:
                scopes.append(scope.ident)
            case VarDecl() as variable:
                name = ".".join([*scopes, variable.reference.removeprefix("\\")])
                codes[name.removeprefix("bench.top.")] = variable.id_code
            case ScalarChange() | VectorChange() as change:
                changes[change.id_code] = int(change.value)
                if change.id_code == codes["clk"] and change.value == "1":
                    yield {name: values[code] for name, code in codes.items()}
        if token.kind is TokenKind.UPSCOPE:
            scopes.pop()
        elif token.kind is TokenKind.CHANGE_TIME:
            values |= changes
            changes = {}


DRAWINGS: dict[str, Callable[[schemdraw.Drawing, dict[str, Any]], None]] = {
    "block-diagram": draw_blocks,
    "loop-nest": draw_loops,
    "weight-tiles": draw_weight_tiles,
}


def draw(folder: Path) -> None:
    """Write all diagrams into a folder."""
    svg.config.text = "text"
    # Text is placed by its base line: not every renderer knows others.
    svg.config.useBatik = True
    for name, drawer in DRAWINGS.items():
        # Clipping regions are numbered over all drawings of a process; a file must not depend on those before.
        svg.Figure.total_clips = 0
        drawing = schemdraw.Drawing(canvas="svg", show=False)
        drawing.config(font="sans-serif", bgcolor=PAPER, margin=0)
        drawer(drawing, tomllib.loads((SOURCES / f"{name}.toml").read_text()))
        box = drawing.get_bbox()
        # A background of paper in the picture itself, since not everything that shows pictures obeys its style.
        paper = box.xmin - MARGIN, box.ymax + MARGIN, box.xmax + MARGIN, box.ymin - MARGIN
        drawing.add(Sketch(panel(*paper, PAPER, -100)))
        (folder / f"{name}.svg").write_text(_tidy(drawing.get_imagedata("svg").decode()))


def _tidy(picture: str) -> str:
    """An element a line and few digits, so that versions can be compared, and nothing that browsers don't know."""
    short = re.sub(r"-?\d+\.\d+(e-?\d+)?", lambda number: f"{round(float(number[0]), 2) + 0.0:g}", picture)
    lines = re.sub("(?=<(path|poly|text|circle|defs|/svg))", "\n", short).replace("stroke-dasharray:-;", "")
    return lines.replace('font-family="sans"', 'font-family="sans-serif"') + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=SOURCES, help="folder that the pictures are written to")
    draw(parser.parse_args().output)
