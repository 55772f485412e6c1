"""TeX and a browser for the tests that are asked of them."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest

from rnnderive import report as rp

REQUIRED = "RNNDERIVE_TOOLS_REQUIRED"  # set by .ci/run once both are installed


def absent(reason: str) -> None:
    """Skip a test, saying what is not there; fail where it must be."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{reason}, though {REQUIRED} is set")
    pytest.skip(reason)


def need_tex(files: Iterable[str] = ()) -> None:
    """Go on only where TeX has every program and file."""
    if missing := rp.missing_tex(files):
        absent(f"TeX is not complete: {', '.join(missing)} not found")
