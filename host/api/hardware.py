"""The accelerator's Verilog."""

from __future__ import annotations

from wingrid.host.api.conditions import Config, Setting, as_texts, configured
from wingrid.hw import verilog


def generate_verilog(config: Config = None, **settings: Setting) -> str:
    """The text of module ``wingrid``, with ports and registers as ``docs/counters.md`` describes them.

        Path("wingrid.v").write_text(generate_verilog(rows=8, cols=8))

    ``config`` is a configuration, a TOML file or ``None`` for the default one; ``settings`` are fields that differ from
    it. Equal configurations give equal texts. Raises ``ConfigError`` for what cannot be.
    """
    return verilog.generate(configured(config, as_texts(settings)))
