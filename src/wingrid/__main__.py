"""``python -m wingrid``: the command line."""

from wingrid.host.commands.app import main

main()
