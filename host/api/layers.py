"""One layer with the caller's own weights: compiled, timed and run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.api.conditions import Config, Memory, Setting, as_texts, setup_for
from wingrid.host.api.outcomes import Estimate, Run
from wingrid.host.api.running import checked
from wingrid.host.compiler.compile_layer import CompiledLayer, compile_exactly
from wingrid.host.errors import UserError
from wingrid.host.execution.layer_run import Job
from wingrid.host.execution.network_run import run_single
from wingrid.host.execution.setup import require_values
from wingrid.host.networks.layer import Convolution, Layer, Operands, Pair, Pool
from wingrid.hw.isa import Instruction


@dataclass(frozen=True)
class LayerProgram:
    """A layer compiled for one accelerator, with the weights that it was compiled for."""

    layer: Layer
    operands: Operands
    compiled: CompiledLayer
    """Plan, memory map and instructions."""

    @property
    def algorithm(self) -> str:
        """``direct``, ``winograd2`` or ``winograd4``: the cheapest that is exact with these weights."""
        return self.compiled.algorithm

    @property
    def instructions(self) -> Sequence[Instruction]:
        """The program, in order."""
        return self.compiled.instructions

    def estimate(self, *, memory: Memory = None, clock: float | None = None, target: str | None = None) -> Estimate:
        """What the program takes, by the timing model; the arguments are those of ``wingrid.estimate``."""
        setup = setup_for("timing", self.compiled.config, memory, (), clock=clock, target=target)
        shape = self.layer.shape
        x = np.zeros((shape.images, shape.channels, shape.height, shape.width), np.int8)
        return Estimate(run_single(self.layer.name, self._job(x), setup))

    def run(
        self,
        x: npt.NDArray[np.int8],
        *,
        backend: str = "rtl",
        memory: Memory = None,
        clock: float | None = None,
        target: str | None = None,
        waves: str | Path | None = None,
        trace: str | Path | None = None,
    ) -> Run:
        """Run the program on int8 [images, C, H, W]; the output is int8 [images, K, OH, OW], pooled if the layer pools.

        The arguments and errors are those of ``wingrid.run``.
        """
        setup = setup_for(
            backend, self.compiled.config, memory, (), clock=clock, target=target, waves=waves, trace=trace
        )
        require_values(setup.backend, "run")
        shape = self.layer.shape
        wanted = (shape.images, shape.channels, shape.height, shape.width)
        if not isinstance(x, np.ndarray) or x.dtype != np.int8 or x.shape != wanted:
            raise UserError(f"the input must be int8 {list(wanted)}")
        return checked(run_single(self.layer.name, self._job(x), setup))

    def _job(self, x: npt.NDArray[np.int8]) -> Job:
        return Job(self.layer, self.operands, x, compiled=self.compiled)


def compile_layer(
    weights: npt.NDArray[np.int8],
    size: Pair,
    *,
    bias: npt.NDArray[np.int32] | None = None,
    scale: float | npt.NDArray[np.float32] = 1.0,
    stride: int | Pair = 1,
    padding: int | tuple[int, int, int, int] = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    images: int = 1,
    x_zero_point: int = 0,
    y_zero_point: int = 0,
    relu: bool = False,
    pool: Pair | None = None,
    name: str = "layer",
    config: Config = None,
    **settings: Setting,
) -> LayerProgram:
    """Compile a convolution with these weights for an accelerator.

        compile_layer(weights, (56, 56), padding=1, scale=0.01).run(x).output

    ``weights`` is int8 [K, C / groups, KH, KW] without a zero point, ``size`` the input's (height, width), ``bias``
    int32 [K], zeros for ``None``. An output is ``round(scale * sum) + y_zero_point``, clamped to int8, and with
    ``relu`` to ``y_zero_point`` and above; ``scale``, one number or float32 [K], is ``x_scale * w_scale / y_scale``.
    ``padding`` is (top, left, bottom, right), and pads with ``x_zero_point``. ``pool`` is (side, stride) of max pooling
    behind it. A fully connected layer is a convolution with a kernel as large as the image. ``config`` and ``settings``
    are those of ``wingrid.estimate``.

    Raises ``UserError`` or ``ConfigError`` for what cannot be.
    """
    if not isinstance(weights, np.ndarray) or weights.dtype != np.int8 or weights.ndim != 4 or not weights.size:
        raise UserError("weights must be int8 [K, C / groups, KH, KW]")
    kernels, per_group, *kernel = weights.shape
    scales = np.broadcast_to(np.asarray(scale, np.float32), (kernels,)).copy() if np.ndim(scale) == 0 else scale
    operands = Operands(weights, np.zeros(kernels, np.int32) if bias is None else bias, np.asarray(scales))
    if operands.bias.dtype != np.int32 or operands.bias.shape != (kernels,):
        raise UserError(f"bias must be int32 [{kernels}]")
    if operands.scales.dtype != np.float32 or operands.scales.shape != (kernels,):
        raise UserError(f"scale must be a number or float32 [{kernels}]")
    if not (np.isfinite(operands.scales).all() and (operands.scales >= 0).all()):
        raise UserError("scales must be finite numbers of at least 0")
    for what, zero_point in (("x_zero_point", x_zero_point), ("y_zero_point", y_zero_point)):
        if not -128 <= zero_point <= 127:
            raise UserError(f"{what} = {zero_point} must lie between -128 and 127")
    shape = Convolution(
        per_group * groups,
        *size,
        kernels,
        kernel=(kernel[0], kernel[1]),
        stride=_pair(stride),
        padding=(padding,) * 4 if isinstance(padding, int) else padding,
        dilation=_pair(dilation),
        groups=groups,
        images=images,
    )
    layer = Layer(
        name,
        "conv",
        shape,
        x_zero_point=x_zero_point,
        y_zero_point=y_zero_point,
        minimum=y_zero_point if relu else -128,
        pool=Pool(*pool) if pool else None,
    )
    setup = setup_for("timing", config, None, as_texts(settings))
    compiled = compile_exactly(layer, lambda: operands, setup.config, setup.algorithm)
    return LayerProgram(layer, operands, compiled)


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value
