"""Chromium without a window, which opens a page and tells what it sees."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

LOOK = """<script>
addEventListener("load", () => {
  const page = document.documentElement;
  const done = (() => { ACTION })();
  const seen = {
    done: done,
    title: document.title,
    headings: [...document.querySelectorAll("h2")].map(heading => heading.textContent),
    cells: [...document.querySelectorAll("td")].map(cell => cell.textContent),
    pictures: [...document.querySelectorAll("figure > svg, .js-plotly-plot")]
      .map(picture => picture.getBoundingClientRect().width),
    width: page.scrollWidth, window: page.clientWidth,
    fetched: performance.getEntriesByType("resource").length,
  };
  document.body.setAttribute("data-seen", JSON.stringify(seen));
});
</script>"""


def browser() -> str | None:
    """The program, if it is there."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def looked_at(page: Path, folder: Path, width: int, action: str = "") -> tuple[dict[str, Any], list[str]]:
    """What a window of so many pixels shows of the page, and the lines of the browser's console.

    Before, ``action`` is done there, the body of a function in JavaScript, whose value is in ``done``.
    """
    program = browser()
    assert program is not None
    copy = folder / "page.html"
    copy.write_text(page.read_text().replace("</body>", LOOK.replace("ACTION", action) + "</body>"))
    arguments = [program, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    arguments += [f"--window-size={width},900", "--enable-logging=stderr", "--dump-dom", copy.as_uri()]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=600, check=True)
    seen = re.search(r'data-seen="([^"]*)"', done.stdout)
    assert seen is not None, done.stdout[-500:]
    return json.loads(html.unescape(seen[1])), [line for line in done.stderr.splitlines() if "CONSOLE" in line]
