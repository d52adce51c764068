"""Records ``make run`` on a terminal of its own, and draws what it printed, in its time, as an animated SVG.

    python docs/record_screencast.py            # runs it: a minute, once its simulator is built
    python docs/record_screencast.py --draw     # only draws again what was recorded

The recording, ``docs/make-run.cast``, is an asciicast of version 2 (https://docs.asciinema.org/manual/asciicast/v2/),
which asciinema plays too; ``docs/make-run.svg`` holds nothing that is not in it.
"""

from __future__ import annotations

import argparse
import dataclasses
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

import pyte

DOCS = Path(__file__).resolve().parent
RECORDING, PICTURE = DOCS / "make-run.cast", DOCS / "make-run.svg"
COMMAND = ("make", "run")

COLUMNS, ROWS = 118, 44
"""As large as the table of VGG-16 with its notes."""

PLAYED, HELD = 16.0, 8.0
"""Seconds in which the recording plays, at another speed than it was made, and for which its end then stays."""

STEP = 0.1
"""Seconds of the picture in which there is one change at most."""

REDRAWN = "\r\x1b[2K"
"""How a progress bar begins that takes the place of the line before."""

WIDTH, HEIGHT, SIZE, MARGIN, BAR = 8, 17, 13, 14, 26
"""Of a character cell, of its font, around the text, and of the bar with the title, in pixels."""

PAPER, INK, FAINT = "#16181d", "#d7dae0", "#8b919c"
COLOURS = {
    "black": "#3b4048", "red": "#e06c75", "green": "#98c379", "brown": "#d19a66", "yellow": "#e5c07b",
    "blue": "#61afef", "magenta": "#c678dd", "cyan": "#56b6c2", "white": "#d7dae0",
}  # fmt: skip
"""Of the names that the emulator has for the eight colours of a terminal; their bright kin look the same here."""


@dataclass(frozen=True)
class Recording:
    """What a program wrote onto a terminal, and after how many seconds."""

    columns: int
    rows: int
    command: str
    events: tuple[tuple[float, str], ...]

    @property
    def seconds(self) -> float:
        return self.events[-1][0]

    def step(self, moment: float) -> int:
        """The step of the picture in which something written then is seen."""
        return int(moment * PLAYED / self.seconds / STEP)

    def thinned(self) -> Recording:
        """Without progress bars that are drawn over before the picture can show them."""
        kept = [
            (moment, text)
            for (moment, text), (then, following) in zip(self.events, [*self.events[1:], (0.0, "")], strict=True)
            if not re.fullmatch(rf"{re.escape(REDRAWN)}[^\n]*", text)
            or not following.startswith(REDRAWN)
            or self.step(moment) < self.step(then)
        ]
        return dataclasses.replace(self, events=tuple(kept))

    @staticmethod
    def read(file: Path) -> Recording:
        header, *events = map(json.loads, file.read_text().splitlines())
        written = tuple((moment, text) for moment, kind, text in events if kind == "o")
        return Recording(header["width"], header["height"], header["command"], written)

    def write(self, file: Path) -> None:
        header = {"version": 2, "width": self.columns, "height": self.rows, "command": self.command}
        lines = [header, *([moment, "o", text] for moment, text in self.events)]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def record(command: Sequence[str], folder: Path) -> Recording:
    """Run a command on a terminal of this size, and keep what it writes there; ends this program if it fails."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)}
    began, events, rest = time.monotonic(), [], b""
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as program:
        os.close(theirs)
        for data in _read(ours):
            moment = round(time.monotonic() - began, 3)
            # A character of several bytes may come in two pieces.
            text = (rest + data).decode(errors="ignore")
            rest = (rest + data)[len(text.encode()) :]
            events.append((moment, text))
    os.close(ours)
    if program.returncode:
        sys.exit(f"{' '.join(command)} ended with status {program.returncode}:\n{''.join(text for _, text in events)}")
    return Recording(COLUMNS, ROWS, " ".join(command), tuple(events))


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # how Linux says that nobody has the other end any more
            return
        if not data:
            return
        yield data


Cell = tuple[str, str, bool]
"""A character, its colour, and whether it is bold."""

Line = tuple[Cell, ...]


def screens(recording: Recording) -> Iterator[tuple[int, list[Line]]]:
    """What is on the terminal at the end of each step in which something is written, first the command alone."""
    screen = pyte.Screen(recording.columns, recording.rows)
    stream = pyte.Stream(screen)
    stream.feed(f"$ {recording.command}\r\n")
    yield 0, _lines(screen)
    for step, events in groupby(recording.events, key=lambda event: recording.step(event[0])):
        for _, text in events:
            stream.feed(text)
        yield step, _lines(screen)


def _lines(screen: pyte.Screen) -> list[Line]:
    found = []
    for row in range(screen.lines):
        cells = [screen.buffer[row][column] for column in range(screen.columns)]
        line = [(cell.data, _colour(cell.fg), cell.bold) for cell in cells]
        while line and line[-1][0] == " ":
            line.pop()
        found.append(tuple(line))
    return found


def _colour(name: str) -> str:
    plain = name.removeprefix("bright")
    return INK if name == "default" else COLOURS.get(plain, f"#{name}")


def text_of(line: Line) -> str:
    """Without colours."""
    return "".join(character for character, _, _ in line)


@dataclass(frozen=True)
class Shown:
    """A line at a row of the screen, from one share of the whole time to another."""

    row: int
    line: Line
    begin: float
    end: float


def shown(recording: Recording) -> list[Shown]:
    """Each line for as long as it is seen, in the picture's time."""
    frames = [(step * STEP / (PLAYED + HELD), lines) for step, lines in screens(recording)]
    found = []
    for row in range(recording.rows):
        history = [(begin, lines[row]) for begin, lines in frames]
        changes = [next(run) for _, run in groupby(history, key=lambda at: at[1])]
        ends = [begin for begin, _ in changes[1:]] + [1.0]
        found += [Shown(row, line, begin, end) for (begin, line), end in zip(changes, ends, strict=True) if line]
    return found


def drawn(recording: Recording) -> str:
    """The SVG. What does not animate sees the end; the rest is moved by SMIL, which needs no script."""
    width, height = 2 * MARGIN + WIDTH * recording.columns, BAR + 2 * MARGIN + HEIGHT * recording.rows
    pace = recording.seconds / PLAYED
    title = f"{recording.command}, {recording.seconds:.0f} s, played {pace:.1f} times as fast as it was"
    texts = shown(recording)
    names = {line: f"l{number}" for number, line in enumerate(dict.fromkeys(each.line for each in texts))}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="{SIZE}" fill="{INK}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" rx="6" fill="{PAPER}"/>',
        f'<text x="{width / 2:g}" y="{BAR - 8}" fill="{FAINT}" text-anchor="middle">{escape(title)}</text>',
        "<defs>",
        *(f'<g id="{name}">{_runs(line)}</g>' for line, name in names.items()),
        "</defs>",
        *(_moving(each, names[each.line]) for each in texts),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _runs(line: Line) -> str:
    """Pieces of one look, each as long as its characters' cells whatever font there is."""
    pieces, column = [], 0
    for (colour, bold), run in groupby(line, key=lambda cell: cell[1:]):
        text = "".join(cell[0] for cell in run)
        lead = len(text) - len(text.lstrip())
        if seen := text.strip():
            look = ("" if colour == INK else f' fill="{colour}"') + (' font-weight="bold"' if bold else "")
            pieces.append(
                f'<text x="{(column + lead) * WIDTH}" textLength="{len(seen) * WIDTH}" xml:space="preserve"{look}>'
                f"{escape(seen)}</text>"
            )
        column += len(text)
    return "".join(pieces)


def _moving(each: Shown, name: str) -> str:
    place = f'href="#{name}" x="{MARGIN}" y="{BAR + MARGIN + HEIGHT * each.row + SIZE}"'
    if (each.begin, each.end) == (0, 1):
        return f"<use {place}/>"
    # A value holds until the time of the next.
    steps = [(0.0, "hidden"), (each.begin, "visible"), (each.end, "hidden")]
    steps = steps[1 if each.begin == 0 else 0 : 2 if each.end == 1 else 3]
    values, times = ";".join(value for _, value in steps), ";".join(f"{moment:.4f}" for moment, _ in steps)
    hidden = "" if each.end == 1 else ' visibility="hidden"'
    return (
        f'<use {place}{hidden}><animate attributeName="visibility" calcMode="discrete" dur="{PLAYED + HELD:g}s"'
        f' repeatCount="indefinite" values="{values}" keyTimes="{times}"/></use>'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", action="store_true", help="do not run: draw what was recorded")
    if not parser.parse_args().draw:
        record(COMMAND, DOCS.parent).thinned().write(RECORDING)
    PICTURE.write_text(drawn(Recording.read(RECORDING)))


if __name__ == "__main__":
    main()
