"""The command wingrid, a file for each subcommand."""
