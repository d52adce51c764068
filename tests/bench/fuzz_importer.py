"""Fuzzing the importer: whatever the bytes, it answers with a graph that gives ONNX Runtime's bits, or with a refusal.

    python -m tests.bench.fuzz_importer --seconds 120 --seed 1

Models are damaged byte by byte and field by field. Each batch runs in a process of its own with bounded
memory; a crash, a hang, any other exception or a wrong bit ends the run with status 1 and the seed that did it.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import random
import resource
import sys
import time
from collections import Counter
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import Message

BATCH = 100
MEMORY_BYTES = 6 << 30
"""Address space: shared libraries, threads and a model of a few kilobytes."""
SECONDS_A_BATCH = 120


CASES = Path(__file__).parents[1] / "host" / "onnx_models" / "cases"


def parents() -> list[bytes]:
    """A chain and a network with branches, in QDQ and QOperator form, and small models with what exporters write."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
    from random_graphs import judged_case

    made = [judged_case(seed)[0].SerializeToString() for seed in (0, 2, 4, 6, 10)]
    return made + [path.read_bytes() for path in sorted(CASES.glob("*.onnx"))]


def damaged(content: bytes, seed: int) -> bytes:
    """The model with a few bytes or fields changed."""
    chance = random.Random(seed)
    return _bytes_changed(content, chance) if chance.random() < 0.4 else _fields_changed(content, chance)


def _bytes_changed(content: bytes, chance: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        place = chance.randrange(len(data))
        kind = chance.randrange(4)
        if kind == 0:
            data[place] = chance.randrange(256)
        elif kind == 1:
            data[place] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del data[place : place + chance.choice((1, 4, 100))]
        else:
            data[place:place] = chance.randbytes(chance.choice((1, 4)))
        if not data:
            break
    return bytes(data)


def _fields_changed(content: bytes, chance: random.Random) -> bytes:
    model = onnx.ModelProto()
    model.ParseFromString(content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        _change_field(model, chance)
    return model.SerializeToString()


def _change_field(message: Message, chance: random.Random) -> None:
    """Walk down at random and change, remove or repeat what is there."""
    while True:
        fields = message.ListFields()
        if not fields:
            return
        field, value = chance.choice(fields)
        if not isinstance(value, bool | int | float | str | bytes | Message):  # a list of them
            if not value or chance.random() < 0.15:
                message.ClearField(field.name)
                return
            place = chance.randrange(len(value))
            if field.type == field.TYPE_MESSAGE:
                if chance.random() < 0.1:
                    del value[place]
                    return
                if chance.random() < 0.05:
                    value.add().CopyFrom(value[chance.randrange(len(value))])
                    return
                message = value[place]
                continue
            with contextlib.suppress(ValueError):  # out of the field's range: it stays
                value[place] = _scalar(value[place], chance)
            return
        if field.type == field.TYPE_MESSAGE:
            message = value
            continue
        if chance.random() < 0.2:
            message.ClearField(field.name)
            return
        with contextlib.suppress(ValueError):
            setattr(message, field.name, _scalar(value, chance))
        return


def _scalar(value: Any, chance: random.Random) -> Any:  # noqa: ANN401
    if isinstance(value, bool | int):
        return chance.choice((0, 1, -1, 2, value + 1, value - 1, 3, 7, 127, 2**31 - 1, 2**31, 2**62))
    if isinstance(value, float):
        return chance.choice((0.0, -1.0, float("nan"), float("inf"), 1e-45, 3e38, -value))
    if isinstance(value, str):
        return chance.choice(("", "x", "Relu", "Conv", "MaxPool", "QLinearConv", value + "_", "\n"))
    data = bytearray(value)
    if data:
        for _ in range(chance.choice((1, 4))):
            data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data[: chance.choice((len(data), len(data), len(data) // 2))])


def attempt(content: bytes, folder: Path) -> str:
    """How the importer answers; raises for a wrong bit, and whatever it should not have raised."""
    from wingrid.host.errors import UserError
    from wingrid.host.onnx_models.graph_walk import golden_outputs
    from wingrid.host.onnx_models.importer import import_model
    from wingrid.host.onnx_models.inputs import model_inputs
    from wingrid.host.onnx_models.judge import difference
    from wingrid.host.onnx_models.model_file import checked_model
    from wingrid.host.onnx_models.quantising import quantised
    from wingrid.host.onnx_models.sizes import Sizes
    from wingrid.hw.config import AcceleratorConfig

    try:
        model = checked_model(content, folder)
        inputs = model_inputs(model.inputs, {}, Sizes())
        if sum(x.nbytes for x in inputs.values()) > 1 << 20:
            return "too large to run"
        if not model.is_quantised:
            model = quantised(model, [inputs]).model
        graph = import_model(model, {name: x.shape for name, x in inputs.items()}, AcceleratorConfig())
        outputs = golden_outputs(graph, inputs)
        where = difference(graph, inputs, outputs)
    except UserError as error:
        if "\n" in str(error):
            raise AssertionError(f"more than a sentence: {error}") from None
        return type(error).__name__
    if where is not None and all(np.isfinite(value).all() for value in outputs.values()):
        raise AssertionError(where)
    return "runs"


def work(first: int, contents: list[bytes], reached: Synchronized, answers: Any) -> None:  # noqa: ANN401
    """Try a batch; ``reached`` tells the parent how far it came."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    counts: Counter[str] = Counter()
    for seed in range(first, first + BATCH):
        reached.value = seed
        counts[attempt(damaged(contents[seed % len(contents)], seed), Path("/nonexistent"))] += 1
    answers.put(counts)


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    contents = parents()
    context = multiprocessing.get_context("fork")
    until, first, total = time.monotonic() + options.seconds, options.seed * 1_000_000, Counter[str]()
    while time.monotonic() < until:
        reached, answers = context.Value("q", first), context.SimpleQueue()
        worker = context.Process(target=work, args=(first, contents, reached, answers))
        worker.start()
        worker.join(SECONDS_A_BATCH)
        if worker.is_alive():
            worker.kill()
            print(f"hang with seed {reached.value}")
            return 1
        if worker.exitcode != 0:
            print(f"exit status {worker.exitcode} with seed {reached.value}")
            return 1
        total += answers.get()
        first += BATCH
    print(f"{sum(total.values())} models from seed {options.seed * 1_000_000}: {dict(total)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
