"""LaTeX as tokens, each with its place; what is only looks (spaces, sizes of brackets) is left out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rnnderive.errors import LanguageError
from rnnderive.printing.notation import GREEK

__all__ = ["MAX_TEXT", "Source", "Token", "tokens"]

MAX_TEXT = 200_000

_LOOKS = frozenset(
    [
        "left",
        "right",
        "big",
        "Big",
        "bigg",
        "Bigg",
        "bigl",
        "bigr",
        "Bigl",
        "Bigr",
        "biggl",
        "biggr",
        "Biggl",
        "Biggr",
        "middle",
        "displaystyle",
        "textstyle",
        "limits",
        "nolimits",
        "nonumber",
        "notag",
        "quad",
        "qquad",
        "hfill",
        "thinspace",
        "thickspace",
        "medspace",
        "hline",
        "noindent",
        "centering",
        "scriptstyle",
        "mathstrut",
    ]
)
_WITH_ARGUMENT = frozenset(["label", "tag", "hspace", "vspace", "color", "textcolor"])
_WORDS = frozenset(
    [
        "mathrm",
        "text",
        "operatorname",
        "textrm",
        "mathit",
        "textit",
        "mathsf",
        "texttt",
        "mathtt",
        "textbf",
        "textsf",
        "mbox",
    ]
)
_SPACES = frozenset(",;:! >")
_LAYOUT = frozenset(
    [
        "aligned",
        "align",
        "align*",
        "equation",
        "equation*",
        "gather",
        "gather*",
        "gathered",
        "split",
        "eqnarray",
        "eqnarray*",
        "multline",
        "multline*",
        "displaymath",
        "math",
        "flalign",
        "flalign*",
        "alignat",
        "document",
    ]
)
_SIGNS = {
    "⊙": "odot", "∘": "circ", "∂": "partial", "·": "cdot", "×": "times", "⊗": "otimes", "∑": "sum", "Σ": "sum",
    "∏": "prod", "⊤": "top", "≤": "le", "≥": "ge", "⋯": "cdots", "…": "dots", "∇": "nabla", "ℒ": "mathcal{L}",
    **{sign: name for name, sign in GREEK.items()},
}  # fmt: skip
_OPEN = {"(": "(", "[": "[", r"\{": "{", r"\lbrace": "{", r"\langle": "<", r"\lVert": "‖", r"\lvert": "|"}
_CLOSE = {")": "(", "]": "[", r"\}": "{", r"\rbrace": "{", r"\rangle": "<", r"\rVert": "‖", r"\rvert": "|"}


@dataclass(frozen=True)
class Token:
    """A piece of LaTeX.

    `kind` is ``letter``, ``digits``, ``word``, ``command``, ``sign``, ``{``, ``}``, ``open``, ``close``,
    ``row`` (a new line of the formula), ``break`` (a new line of the text), ``begin`` or ``end`` of
    a matrix, or ``stop``.
    """

    kind: str
    text: str
    line: int
    column: int


class Source:
    """A text with the places of its errors; `words` are read as one sign where they stand as letters."""

    def __init__(self, text: str, words: frozenset[str] = frozenset()) -> None:
        self.text, self.words = text, words
        self.rows = text.split("\n")

    def place(self, position: int) -> tuple[int, int]:
        line = self.text.count("\n", 0, position) + 1
        return line, position - (self.text.rfind("\n", 0, position) + 1) + 1

    def error(self, message: str, line: int, column: int) -> LanguageError:
        shown = self.rows[line - 1] if 0 < line <= len(self.rows) else None
        return LanguageError(message, line, column, shown)


_PIECE = re.compile(
    r"(?P<space>[ \t\f\v\r]+)|(?P<comment>%[^\n]*)|(?P<newline>\n)|(?P<row>\\\\(?:\[[^\]\n]*\])?)"
    r"|(?P<command>\\(?:[A-Za-z]+\*?|.))|(?P<digits>\d+(?:\.\d+)?|\.\d+)|(?P<other>.)",
    re.S,
)
_LETTERS = re.compile("[A-Za-z]+")


def tokens(source: Source) -> list[Token]:
    """Read a text into tokens.

    Raises
    ------
    LanguageError
        For an environment that is not known, or braces that do not close.
    """
    return _Lexer(source).run()


class _Lexer:
    def __init__(self, source: Source) -> None:
        self.source, self.text = source, source.text
        self.out: list[Token] = []
        self.at = 0
        self.line, self.start = 1, 0  # the line, and where it starts
        self.side = ""  # left or right, for a bar

    def place(self, position: int) -> tuple[int, int]:
        return self.line, position - self.start + 1

    def put(self, kind: str, text: str, position: int) -> None:
        self.out.append(Token(kind, text, *self.place(position)))

    def run(self) -> list[Token]:
        while self.at < len(self.text):
            found = _PIECE.match(self.text, self.at)
            assert found is not None
            begin, self.at = self.at, found.end()
            kind, words = found.lastgroup or "", found[0]
            if kind in ("space", "comment"):
                continue
            if kind == "newline":
                self.put("break", words, begin)
                self.line, self.start = self.line + 1, self.at
            elif kind == "row":
                self.put("row", words, begin)
            elif kind == "digits":
                self.put("digits", words, begin)
            elif kind == "command":
                self.command(words, begin)
            else:
                self.character(words, begin)
        self.put("stop", "", self.at)
        return self.out

    def character(self, c: str, begin: int) -> None:
        if c in "{}":
            self.put(c, c, begin)
        elif c in "([":
            self.put("open", c, begin)
        elif c in ")]":
            self.put("close", _CLOSE[c], begin)
        elif c == "|":
            double = self.text.startswith("|", self.at)
            self.at += double
            self.bar("‖" if double else "|", begin)
        elif c == "$":
            self.put("row", c, begin)
        elif c in "&~":
            if c == "&":
                self.put("sign", c, begin)
        elif c in _SIGNS:
            self.put("command", _SIGNS[c], begin) if c != "ℒ" else self.put("letter", "L", begin)
        elif c == "ᵀ":
            self.put("sign", "^", begin)
            self.put("command", "top", begin)
        elif c == "−":
            self.put("sign", "-", begin)
        elif c.isalpha():
            run = _LETTERS.match(self.text, begin)
            if run is not None and run[0] in self.source.words and not self.text[begin - 1 : begin].isalpha():
                self.put("word", run[0], begin)
                self.at = run.end()
            else:
                self.put("letter", c, begin)
        elif c in "+-*/=<>,;:.^_'!":
            self.put("sign", c, begin)
        else:
            raise self.source.error(f"found {c!r}, which is no sign of a formula", *self.place(begin))

    def bar(self, text: str, begin: int) -> None:
        kind = {"left": "open", "right": "close"}.get(self.side, "sign")
        self.side = ""
        self.put(kind, text, begin)

    def command(self, words: str, begin: int) -> None:
        name = words[1:]
        if name in ("[", "]", "(", ")"):
            self.put("row", words, begin)
        elif words == r"\|" or name == "Vert":
            self.bar("‖", begin)
        elif name == "vert":
            self.bar("|", begin)
        elif words in _OPEN:
            self.put("open", _OPEN[words], begin)
        elif words in _CLOSE:
            self.put("close", _CLOSE[words], begin)
        elif name in ("left", "right"):
            self.delimiter(name)
        elif name in _SPACES or name in _LOOKS:
            if name in ("quad", "qquad"):
                self.put("sign", "quad", begin)
        elif name == "_":
            self.put("letter", "_", begin)
        elif name in _WITH_ARGUMENT:
            self.argument(begin)
        elif name in _WORDS:
            self.word(begin)
        elif name in ("begin", "end"):
            self.environment(name, begin)
        else:
            self.put("command", name, begin)

    def delimiter(self, side: str) -> None:
        """What follows \\left or \\right; a point is no delimiter."""
        rest = self.text[self.at :].lstrip(" ")
        self.at = len(self.text) - len(rest)
        if rest.startswith("."):
            self.at += 1
        elif rest.startswith(("|", r"\|", r"\vert", r"\Vert")):
            self.side = side
        elif rest[:1] in ("<", ">"):
            self.put("open" if side == "left" else "close", "<", self.at)
            self.at += 1

    def argument(self, begin: int) -> str | None:
        """The text between the braces that follow; None where none follow."""
        found = re.compile(r"\s*\{((?:[^{}\\]|\\.)*)\}", re.S).match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        for k in range(found.start(), found.end()):
            if self.text[k] == "\n":
                self.line, self.start = self.line + 1, k + 1
        return found[1]

    def word(self, begin: int) -> None:
        place = self.place(begin)
        inside = self.argument(begin)
        if inside is None:  # \mathrm d, or braces inside
            return
        plain = re.sub(r"\\([_%&# ,;!])", lambda m: m[1] if m[1] in "_%&#" else " ", inside).strip()
        if plain:
            self.out.append(Token("word", re.sub(r"\s+", " ", plain), *place))

    def environment(self, which: str, begin: int) -> None:
        name = (self.argument(begin) or "").strip()
        if name in _LAYOUT:
            self.put("row", name, begin)
        elif name.rstrip("*").endswith(("matrix", "cases", "array")):
            if name == "array":
                self.argument(begin)
            self.put(which, name.rstrip("*"), begin)
        else:
            message = f"the environment {name!r} is not read; expected aligned, cases, bmatrix and their like"
            raise self.source.error(message, *self.place(begin))
