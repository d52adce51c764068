"""Programs of the distribution that judge the hardware.

In CI, which installs them, one that is missing fails its tests, as it does in a make target of its own. A fresh
computer may lack them: there, those tests of the whole suite are skipped, and say why.
"""

from __future__ import annotations

import os
import shutil

import pytest


def outside_judge(package: str, *programs: str) -> str:
    """The path of the first of the programs that is there; ``package`` is Debian's that has it."""
    for program in programs:
        if found := shutil.which(program):
            return found
    message = f"{programs[0]} is missing; on Debian: apt-get install {package}"
    if "PYTEST_CURRENT_TEST" in os.environ and "CI" not in os.environ:
        pytest.skip(message)
    raise AssertionError(message)
