"""A place in the tokens of a formula, and the error that names it."""

from __future__ import annotations

from collections.abc import Callable

from rnnderive.errors import LanguageError
from rnnderive.hand.latex.tokens import Source, Token
from rnnderive.hand.latex.tree import Node

__all__ = ["Cursor"]

MAX_DEPTH = 100


class Cursor:
    """Tokens, and how far they are read."""

    def __init__(self, source: Source, tokens: list[Token]) -> None:
        self.source, self.tokens = source, tokens
        self.k = 0
        self.depth = 0

    @property
    def here(self) -> Token:
        return self.tokens[self.k]

    def take(self) -> Token:
        token = self.tokens[self.k]
        self.k += 1
        return token

    def sees(self, kind: str, *texts: str) -> bool:
        return self.here.kind == kind and (not texts or self.here.text in texts)

    def error(self, wanted: str, token: Token | None = None) -> LanguageError:
        token = token or self.here
        found = "the end" if token.kind == "stop" else repr(("\\" if token.kind == "command" else "") + token.text)
        return self.source.error(f"found {found}, expected {wanted}", token.line, token.column)

    def deeper(self, read: Callable[[], Node]) -> Node:
        """Read one level deeper."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            message = f"the formula is nested more than {MAX_DEPTH} deep; name a part of it in an equation of its own"
            raise self.source.error(message, self.here.line, self.here.column)
        node = read()
        self.depth -= 1
        return node

    def close(self, kind: str, wanted: str) -> None:
        if self.here.kind != kind:
            raise self.error(f"{wanted!r}")
        self.take()
