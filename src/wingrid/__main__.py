"""``python -m wingrid``: the command line."""

from wingrid.host.commands.start import main

main()
