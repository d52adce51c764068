"""The command ``wingrid``.

Exit status 0: done, and all checks hold. 1: a check failed. 2: bad input or usage, one sentence on standard error.
Above 128: ended by a signal, see ``wingrid.host.commands.interruption``.
"""

from __future__ import annotations

import sys

import typer

from wingrid.host.commands.build import build
from wingrid.host.commands.check import check
from wingrid.host.commands.compare import compare
from wingrid.host.commands.compress import compress
from wingrid.host.commands.estimate import estimate
from wingrid.host.commands.explore import explore
from wingrid.host.commands.fetch import fetch
from wingrid.host.commands.filter import filter_picture
from wingrid.host.commands.interruption import complain
from wingrid.host.commands.matmul import matmul
from wingrid.host.commands.networks import networks
from wingrid.host.commands.quantize import quantize
from wingrid.host.commands.run import run
from wingrid.host.commands.show import show
from wingrid.host.commands.soc import soc
from wingrid.host.commands.synth import synth
from wingrid.host.commands.verilog import verilog
from wingrid.host.errors import UserError
from wingrid.host.execution.driver import MachineFault
from wingrid.host.execution.network_result import ChecksFailed
from wingrid.host.soc.checks import SocDiffers
from wingrid.host.standard_output import ReaderGone, abandon_what_cannot_be_written
from wingrid.hw.config import ConfigError
from wingrid.sim.rtl.simulator import SimulationError
from wingrid.sim.tools import BuildError, ToolMissing

app = typer.Typer(
    help="An open CNN accelerator: run networks, filters and matrix products on its RTL.",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
# In the order of the help text.
app.command()(run)
app.command()(estimate)
app.command()(compare)
app.command("filter")(filter_picture)
app.command()(show)
app.command()(matmul)
app.command()(verilog)
app.command()(soc)
app.command()(synth)
app.command()(build)
app.command()(explore)
app.command()(check)
app.command()(quantize)
app.command()(compress)
app.command()(fetch)
app.command()(networks)


NOBODY_READS = 128 + 13
"""Exit status where what reads standard output has gone: that of programs which SIGPIPE ends."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point: turns what went wrong into one sentence and an exit status."""
    try:
        status = app(arguments, standalone_mode=False) or 0
    except (UserError, ConfigError, ToolMissing) as error:
        status = complain(error, 2)
    except (ChecksFailed, SocDiffers, MachineFault, SimulationError, BuildError) as error:
        status = complain(error, 1)
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
        if not hasattr(error, "format_message"):
            raise
        status = complain(error.format_message(), 2)
    abandon_what_cannot_be_written()
    sys.exit(status)
