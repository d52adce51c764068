"""What a bitstream takes of the chip beside the accelerator: the system around it, and memory for the network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy.typing as npt

from wingrid.host.bitstreams import ulx3s
from wingrid.host.errors import UserError
from wingrid.host.fitting.area_model import predicted_area
from wingrid.host.images.building import build_image
from wingrid.host.images.work import Work
from wingrid.host.soc.job import Job, job_for
from wingrid.hw.config import AcceleratorConfig

FAMILY = "ecp5"
"""Of the board's chip."""

BLOCK_BYTES = 2048
"""What a block RAM of the chip holds in words of 8 bits."""

SYSTEM = {"logic": 6_700, "multipliers": 4, "memories": 30}
"""VexRiscv with its caches, the firmware's memories and LiteX's buses, as synthesis counts them: the whole chip of
``configs/ulx3s-4x4.toml`` less its accelerator and the network's memory."""


def reserved(work: Work, inputs: Mapping[str, npt.NDArray], config: AcceleratorConfig) -> dict[str, int]:
    """What is not for the accelerator, by resource, if the network is compiled for ``config``.

    On another accelerator the network's program is longer or shorter, so ``require_room`` has the last word. Raises
    ``UserError`` for a network that no firmware here runs, see ``job_for``.
    """
    image = build_image(work, config)
    job = job_for(image, {name: value[None] for name, value in inputs.items()})
    return {**SYSTEM, "memories": SYSTEM["memories"] + blocks_for(job)}


def blocks_for(job: Job) -> int:
    """Block RAMs for a network, its values and what the firmware is to do."""
    return -(-len(job.memory) // BLOCK_BYTES)


def require_room(needed: int, config: AcceleratorConfig) -> None:
    """Raise ``UserError`` if so many block RAMs are not left by the accelerator and the system around it."""
    room = ulx3s.BLOCKS - SYSTEM["memories"] - predicted_area(config, FAMILY).memories
    if needed > room:
        raise UserError(
            f"the network and its values take {needed} block RAMs, and {ulx3s.NAME} has room for {room:g} of them "
            "beside accelerator and processor: take larger buffers, which make programs shorter, or a smaller network"
        )
