"""Same input, same bytes: whatever the locale, the time zone, the hash seed and the folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnderive import report as rp
from tests.report import tools

PROGRAM = """
import sys
from pathlib import Path
from rnnderive import cells, report as rp
target, engine, lang = sys.argv[1:]
document = rp.cell_document(cells.vanilla(), "vanilla", lang=lang, parts=["model", "steps", "terms", "numbers"])
rp.build(document, Path(target), engine, engine=engine, formats=("pdf", "html", "md"))
"""
HERE = {"LC_ALL": "C", "LANG": "C", "TZ": "UTC", "PYTHONHASHSEED": "1", "HOME": "/tmp"}
THERE = {"LC_ALL": "ru_RU.UTF-8", "LANG": "de_DE.UTF-8", "TZ": "Pacific/Chatham", "PYTHONHASHSEED": "77",
         "PYTHONUTF8": "0", "MPLBACKEND": "agg", "COLUMNS": "40"}  # fmt: skip


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize(("engine", "lang"), [("typst", "en"), ("tex", "ru")])
def test_same_bytes_everywhere(engine: str, lang: str, tmp_path: Path) -> None:
    if engine == "tex":
        tools.need_tex(rp.languages.load(lang).latex["files"])
    found = []
    for name, settings in (("one", HERE), ("another folder/two", THERE)):
        target = tmp_path / name
        target.mkdir(parents=True)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))} | settings
        environment["PYTHONPATH"] = str(Path(rp.__file__).parents[2])
        command = [sys.executable, "-c", PROGRAM, str(target), engine, lang]
        subprocess.run(command, cwd=target, env=environment, check=True)
        found.append(files(target))
    assert set(found[0]) == set(found[1]) >= {f"{engine}.{s}" for s in ("pdf", "tex", "typ", "html", "md")}
    for name, data in found[0].items():
        assert data == found[1][name], name
        assert str(tmp_path).encode() not in data, name
