"""The command ``wingrid``.

Exit status 0: done, and all checks hold. 1: a check failed. 2: bad input or usage, one sentence on standard error.
Above 128: ended by a signal, see ``wingrid.host.commands.interruption``.
"""

from __future__ import annotations

import importlib
import sys

import typer

from wingrid.host.commands.interruption import complain
from wingrid.host.standard_output import ReaderGone, abandon_what_cannot_be_written

FUNCTIONS = {
    "run": "run",
    "estimate": "estimate",
    "compare": "compare",
    "filter": "filter_picture",
    "show": "show",
    "matmul": "matmul",
    "verilog": "verilog",
    "soc": "soc",
    "synth": "synth",
    "build": "build",
    "explore": "explore",
    "check": "check",
    "quantize": "quantize",
    "compress": "compress",
    "fetch": "fetch",
    "networks": "networks",
}
"""Each command, in the order of the help text, and the function in the module of its name."""

NOBODY_READS = 128 + 13
"""Exit status where what reads standard output has gone: that of programs which SIGPIPE ends."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point: turns what went wrong into one sentence and an exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        status = _application(given[0] if given else None)(arguments, standalone_mode=False) or 0
    except (ReaderGone, BrokenPipeError):
        status = NOBODY_READS
    except SystemExit as error:
        # The parser ends the process by itself, with status 1, where nobody reads its help.
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        status = NOBODY_READS
    except OSError as error:
        status = complain(": ".join(filter(None, [error.filename, error.strerror or str(error)])), 2)
    except MemoryError as error:
        status = complain(f"there is not enough memory: {str(error).lower() or 'it is used up'}", 2)
    except Exception as error:
        status = _complain_of(error)
    abandon_what_cannot_be_written()
    sys.exit(status)


def _application(wanted: str | None) -> typer.Typer:
    """The parser of the command line, which knows the command that is wanted, or all if there is no such command."""
    app = typer.Typer(
        help="An open CNN accelerator: run networks, filters and matrix products on its RTL.",
        add_completion=False,
        no_args_is_help=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        # With a function of its own it remains a group if it knows but one command.
        callback=lambda: None,
    )
    # What all commands import together takes longer than most of them.
    for name in (wanted,) if wanted in FUNCTIONS else FUNCTIONS:
        module = importlib.import_module(f"wingrid.host.commands.{name}")
        app.command(name)(getattr(module, FUNCTIONS[name]))
    return app


def _complain_of(error: Exception) -> int:
    """Say what went wrong; returns the exit status. Raises what is a defect."""
    # Imported here: where nothing goes wrong, most commands do without.
    from wingrid.host.errors import UserError
    from wingrid.host.execution.driver import MachineFault
    from wingrid.host.execution.network_result import ChecksFailed
    from wingrid.host.soc.checks import SocDiffers
    from wingrid.hw.config import ConfigError
    from wingrid.sim.rtl.simulator import SimulationError
    from wingrid.sim.tools import BuildError, ToolMissing

    if isinstance(error, (UserError, ConfigError, ToolMissing)):
        return complain(error, 2)
    if isinstance(error, (ChecksFailed, SocDiffers, MachineFault, SimulationError, BuildError)):
        return complain(error, 1)
    if hasattr(error, "format_message"):
        return complain(error.format_message(), 2)
    raise error
