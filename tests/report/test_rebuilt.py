"""The published reports are what the sources build: every report with its sources and figures, byte for byte."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("reports_build", Path(__file__).parents[2] / "reports" / "build.py")
assert _spec and _spec.loader
published = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(published)


@pytest.mark.parametrize("name", published.NAMES)
def test_a_published_report_is_built_again_to_the_byte(name: str, tmp_path: Path) -> None:
    noted = published.noted()
    if noted[""] != published.packages():
        pytest.skip(f"published with {noted[''][2:]}; here are {published.packages()[2:]}")
    fresh = published.checksums(published.built(name, tmp_path), name)
    assert len(fresh) > 3  # PDF, two sources, figures
    changed = {file for file, of in fresh.items() if noted.get(file) != of}
    assert not changed, "the sources have changed: run `make reports` and look at the pages"


def test_every_file_of_a_published_report_is_the_one_that_was_noted() -> None:
    noted = {file: of for file, of in published.noted().items() if file}
    found: dict[str, str] = {}
    for name in published.NAMES:
        found |= published.checksums(published.HERE / published.place(name), name)
    written = {file for file in found if "lecture/" in file and "lecture_ru" not in file}  # by `make report`, in place
    assert found.keys() == noted.keys()
    assert {file for file, of in found.items() if noted[file] != of} <= written
