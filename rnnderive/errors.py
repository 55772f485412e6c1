"""What can go wrong, said so that the reader knows what to do next."""

from __future__ import annotations

__all__ = ["InputError", "LanguageError", "RnnDeriveError", "ScheduleError", "ShapeError"]


class RnnDeriveError(Exception):
    """Base of every error that rnnderive raises on purpose."""


class LanguageError(RnnDeriveError):
    """A text that is not a recurrence.

    Parameters
    ----------
    message : str
        What was found and what was expected.
    line, column : int, optional
        Position in the text, both counted from 1.
    source : str, optional
        The line of text that the position points into; it is shown with a caret.
    """

    def __init__(
        self, message: str, line: int | None = None, column: int | None = None, source: str | None = None
    ) -> None:
        self.message, self.line, self.column, self.source = message, line, column, source
        super().__init__(self._render())

    def _render(self) -> str:
        if self.line is None:
            return self.message
        place = f"line {self.line}, column {self.column}: {self.message}"
        if self.source is None or self.column is None:
            return place
        # A very long line is shown around the caret only.
        start = max(0, self.column - 60)
        shown = self.source[start : start + 110]
        return f"{place}\n    {shown}\n    {' ' * (self.column - 1 - start)}^"


class ShapeError(LanguageError):
    """Two shapes that cannot be one."""


class ScheduleError(LanguageError):
    """Equations that no order of computation satisfies."""


class InputError(RnnDeriveError, ValueError):
    """Arrays or options that do not fit the recurrence they were given to."""
