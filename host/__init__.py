"""The host runtime: networks, tiling, compiler, runtime, reports and the command line."""
