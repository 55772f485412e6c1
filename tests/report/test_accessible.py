"""A PDF for readers who do not see it: tags, language, alternative text, outline; Typst checks PDF/UA-1 itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from rnnderive import report as rp
from tests.report.test_outputs import handout


def _walk(node: Any, seen: list[Any]) -> list[Any]:
    """The structure tree of a PDF, flat."""
    node = node.get_object()
    if isinstance(node, list):
        for kid in node:
            _walk(kid, seen)
    elif isinstance(node, dict):
        seen.append(node)
        if "/K" in node:
            _walk(node["/K"], seen)
    return seen


@pytest.mark.parametrize("lang", rp.languages.available())
def test_the_pdf_of_typst_is_tagged(lang: str, tmp_path: Path) -> None:
    from pypdf import PdfReader

    reader = PdfReader(rp.build(handout(lang), tmp_path, engine="typst").pdf)
    root: Any = reader.trailer["/Root"]
    assert root["/Lang"] == lang and root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert re.search(rb"pdfuaid:part>1<", root["/Metadata"].get_object().get_data())
    nodes = _walk(root["/StructTreeRoot"]["/K"], [])
    kinds = [str(n.get("/S")) for n in nodes]
    for kind in ("/H1", "/H2", "/P", "/Table", "/TH", "/TD", "/Figure", "/Formula", "/Link", "/TOC"):
        assert kind in kinds, kind
    heard = [str(n.get("/Alt", "")) for n in nodes if n.get("/S") in ("/Figure", "/Formula")]
    assert all(heard) and "a curve" in heard
    mark = "0,25" if lang == "ru" else "0.25"
    assert f"s = {mark}" in heard
