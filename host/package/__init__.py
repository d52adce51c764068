"""The accelerator as a package for other tools: register descriptions, IP-XACT, Vivado, FuseSoC, LiteX."""
