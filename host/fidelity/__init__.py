"""Published figures of other accelerators beside estimates of this one."""
