"""What a network takes on one setup or another, by the timing model alone: a built-in network, or an ONNX model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from wingrid.host.errors import UserError
from wingrid.host.execution.listener import Listener
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.network_time import time_network
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.built_in import find, is_onnx, require_no_shapes

if TYPE_CHECKING:
    from wingrid.host.onnx_models.model_estimate import TensorPlacer


def estimator(
    network: str,
    names: Sequence[str] | None,
    images: int | None,
    *,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    assume_int8: bool = False,
    int8_kernels: bool = True,
    placer: TensorPlacer | None = None,
) -> Callable[[Setup, Listener | None], NetworkResult]:
    """What estimates a network on one setup after another: a built-in one, or the ONNX model of a file.

    The other arguments are those of ``estimate_model``. Raises ``UserError`` for a network that there is not, for
    layers that a built-in one does not have, and for what is said of an ONNX model alone.
    """
    if is_onnx(network):
        # Imported here: what other networks do without.
        from wingrid.host.onnx_models.model_estimate import estimate_model
        from wingrid.host.onnx_models.sizes import Sizes

        sizes = Sizes(shapes or {}, images)
        return lambda setup, listener: estimate_model(
            network,
            setup,
            names,
            sizes,
            listener,
            assume_int8=assume_int8,
            int8_kernels=int8_kernels,
            placer=placer,
        )
    if assume_int8:
        raise UserError(f"--assume-int8 is for .onnx files, and {network} is in int8 already")
    require_no_shapes(network, shapes)
    chosen = find(network)
    chosen.select(names)
    return lambda setup, listener: time_network(chosen, setup, names, images or 1, listener)
