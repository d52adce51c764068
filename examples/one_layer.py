"""A convolution with your own weights: compiled, estimated, run on the RTL, and compared with numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from wingrid import AcceleratorConfig, compile_layer

CONFIG = AcceleratorConfig.load(Path(__file__).resolve().parents[1] / "configs" / "tiny-4x4.toml")
SCALE = 0.004


def main() -> None:
    random = np.random.default_rng(1)
    weights = random.integers(-100, 100, (6, 5, 3, 3), np.int8)  # 6 output channels of 5 input channels
    bias = random.integers(-1000, 1000, 6, np.int32)
    x = random.integers(-128, 128, (1, 5, 10, 12), np.int8)

    program = compile_layer(weights, (10, 12), bias=bias, scale=SCALE, padding=1, relu=True, config=CONFIG)
    print(f"{program.algorithm}, {len(program.instructions)} instructions, {program.estimate().cycles} cycles expected")

    run = program.run(x)
    print(f"{run.cycles} cycles on the RTL")
    if not np.array_equal(run.output, convolved(x, weights, bias)):
        raise SystemExit("the RTL and numpy differ")
    print(f"all {run.output.size} values equal numpy's")


def convolved(x: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """What the layer should compute, without any of Wingrid."""
    windows = sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))
    sums = np.einsum("nchwyx,kcyx->nkhw", windows, weights, dtype=np.int32) + bias[:, None, None]
    return np.clip(np.rint(sums.astype(np.float32) * np.float32(SCALE)), 0, 127).astype(np.int8)


if __name__ == "__main__":
    main()
