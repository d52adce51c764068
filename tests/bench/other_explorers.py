"""What other people's explorers do with the same network: how many designs per second, where they are installed.

Not the same work: chipleap evaluates whole chips by formulas, one after the other; ZigZag searches the mappings of each
layer on one accelerator. Neither is confirmed by RTL, so the figures say how fast a search is, not how good. Both get
the network's multiplications alone.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from wingrid.host.networks.layer import Convolution, Layer
from wingrid.host.networks.network import Network

SAMPLES = 300
"""Random designs that chipleap is asked for, besides those that its agent looks at."""


@dataclass(frozen=True)
class Explored:
    """What another explorer did in which time."""

    designs: int
    seconds: float

    @property
    def rate(self) -> float:
        """Designs per second."""
        return self.designs / self.seconds


@dataclass(frozen=True)
class Explorer:
    """Somebody else's explorer, by the name of its package."""

    package: str
    what: str
    explore: Callable[[Network], Explored]

    def found(self, network: Network) -> Explored | None:
        """What it did with the network; ``None`` where it is not installed."""
        if importlib.util.find_spec(self.package) is None:
            return None
        with contextlib.redirect_stdout(io.StringIO()), _quiet():
            return self.explore(network)


def by_chipleap(network: Network) -> Explored:
    """chipleap 0.3: its agent, and a random sample of its space."""
    from chipleap.explore.engine import explore
    from chipleap.spec import parse_spec

    spec = parse_spec({"name": "network", "workload": {"graph": chipleap_graph(network)}})
    began = time.perf_counter()
    result = explore(spec, samples=SAMPLES)
    return Explored(result.evaluated, time.perf_counter() - began)


def by_zigzag(network: Network) -> Explored:
    """ZigZag 3.9: the mappings of all layers on its 32x32 array of a TPU's kind, which is one design."""
    from zigzag.api import get_hardware_performance_zigzag

    inputs = files("zigzag") / "inputs"
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        get_hardware_performance_zigzag(
            zigzag_workload(network),
            str(inputs / "hardware" / "tpu_like.yaml"),
            str(inputs / "mapping" / "tpu_like.yaml"),
            dump_folder=folder,
            pickle_filename=str(Path(folder) / "found.pickle"),
            loma_show_progress_bar=False,
        )
        return Explored(1, time.perf_counter() - began)


EXPLORERS = (
    Explorer("chipleap", "designs of whole chips", by_chipleap),
    Explorer("zigzag", "one accelerator, all its mappings", by_zigzag),
)


def chipleap_graph(network: Network) -> dict[str, Any]:
    """The network as chipleap's list of operators: a matrix product for each layer, as im2col makes it."""
    return {"name": network.name, "ops": [{"matmul": _product(layer)} for layer in network.layers()]}


def _product(layer: Layer) -> dict[str, Any]:
    shape = layer.shape
    return {
        "name": layer.name,
        "m": shape.images * shape.out_height * shape.out_width,
        "k": shape.channels // shape.groups * shape.kernel[0] * shape.kernel[1],
        "n": shape.kernels // shape.groups,
        "count": shape.groups,
    }


def zigzag_workload(network: Network) -> list[dict[str, Any]]:
    """The network as ZigZag's list of layers, each the loops of a convolution over its groups.

    Partial sums have the 16 bits that its accelerator has for them.
    """
    entries: list[dict[str, Any]] = []
    for number, layer in enumerate(network.layers()):
        shape = layer.shape
        source = {"I": number - 1 if number else number, "W": number}
        entries.append({"id": number, "name": layer.name, "operand_source": source, **_loops(shape)})
    return entries


def _loops(shape: Convolution) -> dict[str, Any]:
    sizes = {
        "B": shape.images, "G": shape.groups, "K": shape.kernels // shape.groups, "C": shape.channels // shape.groups,
        "OY": shape.out_height, "OX": shape.out_width, "FY": shape.kernel[0], "FX": shape.kernel[1],
    }  # fmt: skip
    top, left, bottom, right = shape.padding
    return {
        "operator_type": "Conv",
        "equation": "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]",
        "dimension_relations": [
            f"iy={shape.stride[0]}*oy+{shape.dilation[0]}*fy",
            f"ix={shape.stride[1]}*ox+{shape.dilation[1]}*fx",
        ],
        "loop_dims": list(sizes),
        "loop_sizes": list(sizes.values()),
        "pr_loop_dims": ["IY", "IX"],
        "pr_loop_sizes": [shape.height, shape.width],
        "padding": [[top, bottom], [left, right]],
        "operand_precision": {"O": 16, "O_final": 8, "W": 8, "I": 8},
    }


@contextlib.contextmanager
def _quiet() -> Any:  # noqa: ANN401 (a generator, to its decorator a context)
    """Without the lines that a library logs for each step."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
