"""What ``import rnnderive`` costs, and what it offers."""

from __future__ import annotations

import subprocess
import sys

import pytest

import rnnderive


def test_nothing_heavy_is_loaded_before_it_is_asked_for() -> None:
    script = (
        "import rnnderive, sys; print(*sorted({'sympy', 'numpy', 'matplotlib', 'typer', 'rich'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout.split() == []


def test_deriving_loads_no_figures_and_no_command_line() -> None:
    script = (
        "import rnnderive, sys; rnnderive.derive('s[t] = a * s[t-1]\\nL = sum(s[T])').lambdify().raw\n"
        "print(*sorted({'matplotlib', 'typer', 'rich', 'typst', 'rnnderive.chains', 'rnnderive.report', "
        "'rnnderive.checks', 'rnnderive.hand'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout.split() == []


@pytest.mark.parametrize("name", rnnderive.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert name in dir(rnnderive)
    assert getattr(rnnderive, name) is getattr(rnnderive, name)


def test_a_name_that_is_not_there_is_told() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'derives'"):
        _ = rnnderive.derives
