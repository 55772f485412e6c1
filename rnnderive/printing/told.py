"""A value that can be told: as a document, and in a notebook."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["Told"]


class Told:
    """Gives a value its document; how it is told is said in :mod:`rnnderive.report`, which knows all of them."""

    def to_document(self, **options: Any) -> Any:
        """This value as a :class:`rnnderive.report.Document`; see :func:`rnnderive.report.to_document`."""
        return importlib.import_module("rnnderive.report").to_document(self, **options)

    def _repr_html_(self) -> str:
        return importlib.import_module("rnnderive.report").to_html(self)

    def _repr_latex_(self) -> str | None:
        return importlib.import_module("rnnderive.report").to_latex(self)
