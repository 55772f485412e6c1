"""The published reports are what the sources build: the lecture and a sample, byte for byte."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("reports_build", Path(__file__).parents[2] / "reports" / "build.py")
assert _spec and _spec.loader
published = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(published)

SAMPLE = ("lecture", "comparison_ru", "gru")  # all of them would take minutes


@pytest.mark.parametrize("name", SAMPLE)
def test_a_published_report_is_built_again_to_the_byte(name: str, tmp_path: Path) -> None:
    noted = published.noted()
    if noted[""] != published.packages():
        pytest.skip(f"published with {noted[''][2:]}; here are {published.packages()[2:]}")
    fresh = published.checksum(published.built(name, tmp_path))
    assert fresh == noted[published.place(name)], "the sources have changed: run `make reports` and look at the pages"


def test_every_published_report_is_the_one_that_was_noted() -> None:
    noted = published.noted()
    for name in published.NAMES:
        if name != "lecture":  # `make report` writes it in place
            place = published.place(name)
            assert published.checksum(published.HERE / place) == noted[place], place
