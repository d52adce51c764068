"""The accelerator's Verilog, and the manifest that describes it."""

from __future__ import annotations

from typing import Any

from wingrid.host.api.conditions import Config, Setting, as_texts, configured
from wingrid.hw import verilog


def generate_verilog(config: Config = None, *, register_slices: bool = False, **settings: Setting) -> str:
    """The text of module ``wingrid``, with ports and registers as ``docs/counters.md`` describes them.

        Path("wingrid.v").write_text(generate_verilog(rows=8, cols=8))

    ``config`` is a configuration, a TOML file or ``None`` for the default one; ``settings`` are fields that differ from
    it. With ``register_slices`` there is one on each AXI channel: every port comes from a register, and memory seems
    two cycles further away. Equal arguments give equal texts. Raises ``ConfigError`` for what cannot be.
    """
    return verilog.generate(configured(config, as_texts(settings)), register_slices=register_slices)


def verilog_manifest(config: Config = None, *, register_slices: bool = False, **settings: Setting) -> dict[str, Any]:
    """What a user of the Verilog needs to know: version, configuration, ports, registers, checksum of the text.

    The object that ``wingrid verilog`` writes as ``wingrid.json``. Arguments and errors are those of
    ``generate_verilog``.
    """
    return verilog.manifest(configured(config, as_texts(settings)), register_slices=register_slices)
