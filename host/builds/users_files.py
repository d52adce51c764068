"""What a build takes from its user's own files, and keeps in its folder, so that it can be checked without them."""

from __future__ import annotations

from pathlib import Path

import onnx

from wingrid.host.builds.contents import MODEL, TARGET
from wingrid.host.errors import UserError
from wingrid.host.networks.built_in import ONNX_BUILT_IN, is_onnx
from wingrid.host.silicon.target import SUFFIX


def network_of(network: str) -> str:
    """What an order calls a network: its name, or that of the model in the folder."""
    return MODEL if _own(network) else network


def target_of(target: str) -> str:
    """What an order calls a target: its name, or that of its description in the folder."""
    return TARGET if target.endswith(SUFFIX) else target


def users_files(network: str, target: str) -> dict[str, bytes]:
    """The user's model, with all its data in one file, and description of a target, if they are the user's own.

    Raises ``UserError`` for what cannot be read.
    """
    found = {}
    try:
        if _own(network):
            found[MODEL] = onnx.load(network).SerializeToString()
        if target.endswith(SUFFIX):
            found[TARGET] = Path(target).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {error.filename or network}: {error.strerror or error}") from None
    return found


def _own(network: str) -> bool:
    return is_onnx(network) and network not in ONNX_BUILT_IN
