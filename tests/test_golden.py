"""The printed and generated form of every library cell is what was last looked at."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


def _documents() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("golden_update", GOLDEN / "update.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.documents()


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    return _documents()


def test_golden_files_are_up_to_date(documents: dict[str, str]) -> None:
    stored = {p.name: p.read_text(encoding="utf-8") for p in GOLDEN.iterdir() if p.suffix in (".tex", ".py")}
    stored.pop("update.py")
    assert stored.keys() == documents.keys(), "run: make golden"
    changed = [name for name in documents if stored[name] != documents[name]]
    assert not changed, f"{', '.join(changed)} changed; look at the diff of `make golden`"
