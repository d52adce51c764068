"""From what users say to a question, and from a question to its answer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wingrid.host.crews.cluster import HERE, crew_of, require_scheduler, usual_scheduler
from wingrid.host.execution.clock import assumed
from wingrid.host.execution.setup import configuration
from wingrid.host.exploration.exact import all_timed
from wingrid.host.exploration.measures import limits_in, measures_named
from wingrid.host.exploration.question import Question
from wingrid.host.exploration.search import Found, explored
from wingrid.host.exploration.space import Space
from wingrid.host.exploration.store import Store, usual_place
from wingrid.host.fitting.fit import Wanted, free_fields
from wingrid.host.fitting.workload import Workload
from wingrid.host.silicon.board import find_place
from wingrid.hw.config import AcceleratorConfig


def asked(
    networks: Sequence[str],
    target: str,
    *,
    objectives: str | None = None,
    limits: str | None = None,
    space: Path | Mapping[str, Any] | None = None,
    combination: str = "worst",
    clock: float | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    int8_kernels: bool = True,
    config: AcceleratorConfig | Path | None = None,
    settings: Sequence[str] = (),
) -> Question:
    """The question; without objectives as many images per second, or as few cycles where no clock is known, and area.

    Fields that ``config`` or ``settings`` say have one choice, unless ``space`` says others. Raises ``UserError`` or
    ``ConfigError``.
    """
    chip, board = find_place(target)
    mhz = assumed(clock).mhz if clock is not None else None
    fixed = configuration(config, list(settings))
    free = frozenset() if config is not None else free_fields(settings)
    workloads = [Workload(network, shapes or {}, int8_kernels) for network in networks]
    for workload in workloads:
        workload.require()
        # Lanes are for who sets them: to see what they save takes longer than many a search.
        fixed = workload.with_units(fixed, free - {"sparse"})
    wanted = Wanted(chip, board=board, mhz=mhz, fixed=fixed, free=free)
    if objectives is None:
        objectives = f"{'cycles' if wanted.clock(fixed) is None else 'images-per-second'},area"
    choices = Space.of(wanted, space) if isinstance(space, Mapping) else Space.read(wanted, space)
    return Question(workloads, wanted, choices, measures_named(objectives), limits_in(limits), combination, target)


def search(
    question: Question,
    scheduler: str | None = None,
    store: Path | None = None,
    says: Callable[[str], None] = lambda _: None,
) -> Found:
    """The answer, from the workers of a scheduler (see ``cluster``) and what ``store`` or the cache folder has.

    Raises ``UserError``.
    """
    question.require()
    scheduler = usual_scheduler() if scheduler is None else scheduler
    require_scheduler(scheduler)
    parcels = {} if scheduler == HERE else {one.network: one.parcel() for one in question.workloads if one.from_file}
    task = functools.partial(all_timed, models={network: parcel.name for network, parcel in parcels.items()})
    with Store(store or usual_place()) as kept, crew_of(scheduler, task, list(parcels.values())) as crew:
        return explored(question, crew, kept, says)
