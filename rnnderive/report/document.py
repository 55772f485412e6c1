"""A report as a tree of values: what is inside a line, blocks, sections, the document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from rnnderive import printing as pr
from rnnderive.errors import InputError

__all__ = [
    "Aligned",
    "Block",
    "Bold",
    "Box",
    "Bullets",
    "Cite",
    "Code",
    "Document",
    "Emph",
    "Equation",
    "Figure",
    "Formula",
    "Inline",
    "Listing",
    "Numbered",
    "Paragraph",
    "Ref",
    "References",
    "Section",
    "Step",
    "Steps",
    "Table",
    "Text",
    "inlines",
    "leads_on",
    "listed",
    "plain",
]


# ---------------------------------------------------------------- inside a line


@dataclass(frozen=True)
class Formula:
    """Mathematics within a line; one too wide to stand there is set as a display."""

    math: pr.Math


@dataclass(frozen=True, init=False)
class Bold:
    """Text in bold."""

    content: tuple[Inline, ...]

    def __init__(self, *content: Inline) -> None:
        object.__setattr__(self, "content", content)


@dataclass(frozen=True, init=False)
class Emph:
    """Text in italics."""

    content: tuple[Inline, ...]

    def __init__(self, *content: Inline) -> None:
        object.__setattr__(self, "content", content)


@dataclass(frozen=True)
class Code:
    """A piece of program text."""

    text: str


@dataclass(frozen=True)
class Ref:
    """The number of what carries this label, with its word: (3), Table 2, Section 4, step 5."""

    label: str


@dataclass(frozen=True)
class Cite:
    """The number of an entry of :class:`References`, in brackets."""

    key: str


Inline: TypeAlias = "str | Formula | Bold | Emph | Code | Ref | Cite"
Text: TypeAlias = "Inline | Sequence[Inline]"


def inlines(text: Text) -> tuple[Inline, ...]:
    """A text as the sequence of its inline items.

    Examples
    --------
    >>> inlines("one")
    ('one',)
    """
    if isinstance(text, str | Formula | Bold | Emph | Code | Ref | Cite):
        return (text,)
    return tuple(text)


# ---------------------------------------------------------------- blocks


@dataclass(frozen=True, init=False)
class Paragraph:
    """A paragraph of inline items: ``Paragraph("The state ", Formula(h), " is kept.")``."""

    content: tuple[Inline, ...]

    def __init__(self, *content: Inline) -> None:
        object.__setattr__(self, "content", content)


@dataclass(frozen=True)
class Equation:
    """A display with a number; broken into lines where it is too wide.

    Parameters
    ----------
    math : Math
        A formula; one with relation signs is aligned at them.
    label : str, optional
        What :class:`Ref` calls it.
    note : Text, optional
        A remark set small beneath it.
    numbered : bool
        Whether it has a number.
    """

    math: pr.Math
    label: str | None = None
    note: Text | None = None
    numbered: bool = True


@dataclass(frozen=True)
class Aligned:
    """Lines ``left = right`` aligned at the sign, with one number for all of them.

    A left side of ``None`` continues the line above.
    """

    rows: Sequence[tuple[pr.Math | None, pr.Math]]
    label: str | None = None
    note: Text | None = None
    numbered: bool = True


@dataclass(frozen=True)
class Step:
    """A line of a derivation: its number, the rule that gave it, and how it was checked.

    A mark starts with ✓ or ✗ where it is a verdict: ``"✓ exact"``.
    """

    number: int | str
    rule: Text
    math: pr.Math
    mark: str = ""
    label: str | None = None


@dataclass(frozen=True)
class Steps:
    """A derivation, step by step."""

    steps: Sequence[Step | Numbered]


@dataclass(frozen=True)
class Table:
    """A table; a cell is text or an inline formula.

    `align` has one letter a column, of ``l``, ``c``, ``r``; left for all unless given.
    """

    header: Sequence[Text]
    rows: Sequence[Sequence[Text]]
    caption: Text = ""
    align: str = ""
    label: str | None = None

    def __post_init__(self) -> None:
        for k, row in enumerate(self.rows):
            if len(row) != len(self.header):
                raise InputError(f"row {k + 1} of a table has {len(row)} cells; expected {len(self.header)}")
        if self.align and (len(self.align) != len(self.header) or set(self.align) - set("lcr")):
            raise InputError(
                f"align={self.align!r} does not fit a table of {len(self.header)} columns; "
                "expected one of l, c, r a column"
            )


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture.

    Parameters
    ----------
    image : matplotlib Figure, or a callable that returns one
        Drawn when the report is built.
    caption : Text
        Set beneath it.
    alt : str
        What is to be seen, for readers who do not see it.
    stem : str, optional
        Name of its files; ``figure-3`` unless given.
    """

    image: Any | Callable[[], Any]
    caption: Text
    alt: str
    stem: str | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        if not self.alt.strip():
            raise InputError("a figure has no alternative text; say in alt what is to be seen")


@dataclass(frozen=True)
class Listing:
    """Program text; long lines are wrapped and marked."""

    code: str
    language: str = "python"
    caption: Text = ""
    label: str | None = None


@dataclass(frozen=True)
class Box:
    """Blocks in a frame: the result."""

    blocks: Sequence[Block]
    title: Text = ""


@dataclass(frozen=True)
class Bullets:
    """A list; with numbers instead of bullets if `ordered`."""

    items: Sequence[Text]
    ordered: bool = False


@dataclass(frozen=True)
class References:
    """The sources, in the order of their numbers: key to text."""

    entries: Mapping[str, Text]


Block: TypeAlias = (
    "Paragraph | Equation | Aligned | Steps | Table | Figure | Listing | Box | Bullets | References | Numbered"
)


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it; `level` 1 or 2, numbered 3 or 3.1."""

    title: Text
    blocks: Sequence[Block]
    level: int = 1
    label: str | None = None
    numbered: bool = True


@dataclass(frozen=True)
class Document:
    """A report.

    Parameters
    ----------
    title, subtitle, author : Text, Text, str
        The head of the first page.
    sections : sequence of Section
        In reading order; a section of level 2 belongs to the one of level 1 before it.
    footer : sequence of Text
        Lines at the end: version, seeds, the command that rebuilds it.
    lang : str
        The language, as :func:`rnnderive.report.languages.load` takes it: hyphenation, quotation
        marks, the decimal mark in formulas, and the words for figure, table and section.
    contents : bool
        Whether a table of contents follows the head.
    """

    title: Text
    sections: Sequence[Section]
    subtitle: Text = ""
    author: str = ""
    footer: Sequence[Text] = ()
    lang: str = "en"
    contents: bool = False

    def _repr_html_(self) -> str:
        from rnnderive.report.html_printer import html_fragment

        return html_fragment(self)

    def _repr_markdown_(self) -> str:
        from rnnderive.report.markdown_printer import markdown_source

        return markdown_source(self)


@dataclass(frozen=True)
class Numbered:
    """A block with its number and the name of the place to jump to; `word` is its number in words, Figure 3."""

    block: Any
    number: str
    anchor: str
    word: str = ""


def plain(text: Text) -> str:
    """A text without markup, for bookmarks and estimates."""
    return "".join(_plain(i) for i in inlines(text))


def listed(formulas: Iterable[pr.Math]) -> list[Inline]:
    """Formulas with commas between them."""
    return [item for k, math in enumerate(formulas) for item in ([", "] if k else []) + [Formula(math)]]


def leads_on(text: Text) -> bool:
    """Whether a text ends so that what follows belongs to it, and stands on the same page."""
    return plain(text).rstrip().endswith((":", "—", ","))


def _plain(item: Inline) -> str:
    match item:
        case str():
            return item
        case Formula(math):
            return pr.text(math)
        case Bold(content) | Emph(content):
            return plain(content)
        case Code(text):
            return text
        case Ref(name) | Cite(name):
            return name
