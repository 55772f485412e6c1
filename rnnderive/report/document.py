"""A report as a tree of values, and the one pass that numbers it for every printer.

Printers see a :class:`Manuscript`, in which every number, anchor and reference is settled; so
the LaTeX and the Typst text of one document cannot disagree about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
    "Manuscript",
    "Numbered",
    "Paragraph",
    "Ref",
    "References",
    "Section",
    "Step",
    "Steps",
    "Table",
    "Target",
    "Text",
    "inlines",
    "number",
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
        ``en`` or ``ru``: hyphenation, and the words for figure, table and section.
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


# ---------------------------------------------------------------- numbers

WORDS: dict[str, dict[str, str]] = {
    "en": {"Figure": "Figure", "Table": "Table", "Listing": "Listing", "Section": "Section", "step": "step",
           "Contents": "Contents"},
    "ru": {"Figure": "Рисунок", "Table": "Таблица", "Listing": "Листинг", "Section": "Раздел", "step": "шаг",
           "Contents": "Содержание"},
}  # fmt: skip


@dataclass(frozen=True)
class Numbered:
    """A block with its number and the name of the place to jump to; `word` stands before it."""

    block: Any
    number: str
    anchor: str
    word: str = ""


@dataclass(frozen=True)
class Target:
    """What a reference prints, and where it leads."""

    text: str
    anchor: str


@dataclass(frozen=True)
class Manuscript:
    """A document whose numbers are settled; what the printers print.

    Every section, equation, step, table, figure and listing in it is :class:`Numbered`.
    """

    document: Document
    sections: tuple[Numbered, ...]
    targets: Mapping[str, Target] = field(default_factory=dict)
    sources: Mapping[str, Target] = field(default_factory=dict)

    def target(self, label: str) -> Target:
        """Where a reference leads."""
        return _find(self.targets, label, "label")

    def source(self, key: str) -> Target:
        """Where a citation leads."""
        return _find(self.sources, key, "source")

    def blocks(self) -> Iterator[Any]:
        """All blocks, those in boxes as well."""
        for section in self.sections:
            yield from _walk(section.block.blocks)


def _find(known: Mapping[str, Target], name: str, what: str) -> Target:
    if name not in known:
        raise InputError(f"nothing has the {what} {name!r}; there are {', '.join(known) or 'none'}")
    return known[name]


def _walk(blocks: Iterable[Any]) -> Iterator[Any]:
    for block in blocks:
        yield block
        inner = block.block if isinstance(block, Numbered) else block
        if isinstance(inner, Box):
            yield from _walk(inner.blocks)


def number(document: Document) -> Manuscript:
    """Give every section, equation, step, table, figure and listing its number.

    Raises
    ------
    InputError
        For a label given twice, an unknown language, or a level other than 1 and 2.
    """
    if document.lang not in WORDS:
        raise InputError(f"no words for the language {document.lang!r}; there are {', '.join(WORDS)}")
    clerk = _Clerk(WORDS[document.lang])
    sections = tuple(clerk.section(s) for s in document.sections)
    return Manuscript(document, sections, clerk.targets, clerk.sources)


class _Clerk:
    """Counts, once, in reading order."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self.words = words
        self.counts: dict[str, int] = {}
        self.targets: dict[str, Target] = {}
        self.sources: dict[str, Target] = {}

    def count(self, kind: str) -> int:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return self.counts[kind]

    def aim(self, label: str | None, text: str, anchor: str) -> None:
        if label is None:
            return
        if label in self.targets:
            raise InputError(f"the label {label!r} is given twice; expected one place for each label")
        self.targets[label] = Target(text, anchor)

    def section(self, section: Section) -> Numbered:
        if section.level not in (1, 2):
            raise InputError(f"a section has level {section.level}; expected 1 or 2")
        anchor = f"section-{self.count('heading')}"
        number = self.section_number(section.level) if section.numbered else ""
        self.aim(section.label, f"{self.words['Section']} {number}".strip() if number else plain(section.title), anchor)
        blocks = tuple(self.block(b) for b in section.blocks)
        return Numbered(Section(section.title, blocks, section.level, section.label), number, anchor)

    def section_number(self, level: int) -> str:
        if level == 1:
            self.counts["subsection"] = 0
            return str(self.count("section"))
        return f"{self.counts.get('section', 0)}.{self.count('subsection')}"

    def block(self, block: Any) -> Any:
        match block:
            case Equation() | Aligned():
                return self.equation(block)
            case Steps():
                return Steps(tuple(map(self.step, block.steps)))
            case Table() if block.caption or block.label:
                return self.captioned(block, "Table")
            case Figure():
                return self.captioned(block, "Figure")
            case Listing() if block.caption or block.label:
                return self.captioned(block, "Listing")
            case Box():
                return Box(tuple(self.block(b) for b in block.blocks), block.title)
            case References():
                for key in block.entries:
                    k = self.count("source")
                    self.sources[key] = Target(f"[{k}]", f"source-{k}")
                return block
            case Paragraph() | Bullets() | Listing() | Table():
                return block
        raise InputError(f"a {type(block).__name__} is no block of a report")

    def equation(self, block: Equation | Aligned) -> Numbered:
        if not block.numbered:
            anchor = f"display-{self.count('display')}"
            self.aim(block.label, "(–)", anchor)
            return Numbered(block, "", anchor)
        number = str(self.count("equation"))
        self.aim(block.label, f"({number})", f"equation-{number}")
        return Numbered(block, number, f"equation-{number}")

    def step(self, step: Step | Numbered) -> Numbered:
        if isinstance(step, Numbered):
            return step
        anchor = f"step-{self.count('step')}"
        self.aim(step.label, f"{self.words['step']} {step.number}", anchor)
        return Numbered(step, str(step.number), anchor)

    def captioned(self, block: Table | Figure | Listing, kind: str) -> Numbered:
        number = str(self.count(kind))
        anchor = f"{kind.lower()}-{number}"
        self.aim(block.label, f"{self.words[kind]} {number}", anchor)
        return Numbered(block, number, anchor, self.words[kind])


def plain(text: Text) -> str:
    """A text without markup, for bookmarks and estimates."""
    return "".join(_plain(i) for i in inlines(text))


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
