"""A build's page in a real browser: on a desk and on a phone, with nothing fetched and nothing complained of."""

import json
import os
import re
from pathlib import Path

import pytest
from browser import browser, looked_at
from small_builds import small_build

from wingrid.host.builds import contents

pytestmark = [pytest.mark.rtl, pytest.mark.slow, pytest.mark.xdist_group("small build")]

needs_browser = pytest.mark.skipif(
    browser() is None and not os.environ.get("CI"), reason="Chromium is not there; where CI is set it has to be"
)


@needs_browser
@pytest.mark.parametrize("width", [1280, 500], ids=["desk", "phone"])
def test_the_page_is_whole_in_a_browser(width: int, tmp_path: Path) -> None:
    folder = small_build()
    seen, console = looked_at(folder / contents.PAGE, tmp_path, width)
    assert console == []
    assert seen["fetched"] == 0
    assert seen["width"] <= seen["window"]
    assert seen["title"] == "network.onnx on ecp5-25k-6"
    assert [heading.split(",")[0] for heading in seen["headings"]] == [
        "What was built", "Checks", "Layers", "Roofline", "Cycles by layer", "Traffic by class", "Energy by layer",
        "Timeline of the engines", "Memory map and lifetimes", "Area", "Clock and critical path", "Tools",
    ]  # fmt: skip
    assert len(seen["pictures"]) == 8
    assert all(0 < picture <= seen["window"] for picture in seen["pictures"])
    results = json.loads((folder / contents.RECEIPT).read_text())["results"]
    cells = " | ".join(seen["cells"])
    assert f"{sum(results['rtl']['cycles'].values()):,} for 1 image, on the RTL" in cells
    assert f"at {results['silicon']['clock']['mhz']:g} MHz, routed" in cells
    assert "rtl: outputs equal | yes" in cells
    assert "test bench: icarus: passed | yes" in cells
    assert "| no |" not in cells


@needs_browser
def test_the_look_notices_what_does_not_fit(tmp_path: Path) -> None:
    page = tmp_path / "wide.html"
    page.write_text('<html><body><p style="width: 3000px">wide</p><script>nothing()</script></body></html>')
    seen, console = looked_at(page, tmp_path, 1280)
    assert seen["width"] > seen["window"]
    assert "nothing is not defined" in console[0]


def test_the_page_names_nothing_outside_itself() -> None:
    """But for what stands in scripts, of which the browser has shown that they fetch nothing."""
    text = re.sub(r"<script.*?</script>", "", (small_build() / contents.PAGE).read_text(), flags=re.S)
    for word in ("src=", "@import", "url(", "<link"):
        assert word not in text.replace("url(#", ""), word
