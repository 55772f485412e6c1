"""TeX for the tests that are asked of it; one that is skipped says what is not there."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from rnnderive import report as rp


def need(files: Iterable[str] = ()) -> None:
    """Skip a test where TeX lacks a program or a file."""
    if missing := rp.missing_tex(files):
        pytest.skip(f"TeX is not complete: {', '.join(missing)} not found")
