"""What every printer does alike: walk a manuscript, and ask the target how each thing is written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any, ClassVar, TypeAlias

from rnnderive import printing as pr
from rnnderive.report import extent, fit
from rnnderive.report.document import (
    Aligned,
    Bold,
    Box,
    Bullets,
    Cite,
    Code,
    Document,
    Emph,
    Equation,
    Figure,
    Formula,
    Inline,
    Listing,
    Numbered,
    Paragraph,
    Ref,
    References,
    Section,
    Steps,
    Table,
    Text,
    inlines,
    leads_on,
)
from rnnderive.report.measures import DISPLAY_EM, INLINE_SHARE, TEXT_EM, formula_lines
from rnnderive.report.numbering import Manuscript, Target, number

__all__ = ["Figures", "Printer", "Rows", "bare", "preamble"]

Rows: TypeAlias = "Iterable[tuple[pr.Math | None, pr.Math]]"
Figures: TypeAlias = "Mapping[str, tuple[str, float]]"
"""Of every figure, by its anchor: its file without the suffix (or its picture), and its width in cm."""


def preamble(kind: str) -> str:
    """What stands at the head of every file of a kind: ``tex``, ``typ``, or the style of a page, ``css``."""
    return resources.files(__package__).joinpath(f"preamble.{kind}").read_text("utf-8").strip()


class Printer(ABC):
    """A target: one method a block, and one a thing inside a line.

    `room` is the width that a text has, in em; `share` the part of it that a formula may take
    before it is set on a line of its own, or, where it is 1 (in a table), broken.
    """

    apart: ClassVar[str] = "\n\n"

    def __init__(self, document: Document | Manuscript, figures: Figures | None = None) -> None:
        self.manuscript = number(document) if isinstance(document, Document) else document
        self.words = self.manuscript.words
        self.figures = figures or {}

    # ------------------------------------------------------------ blocks

    def body(self) -> str:
        """All sections."""
        return self.apart.join(self.section(s) for s in self.manuscript.sections)

    def section(self, at: Numbered) -> str:
        """A heading and what stands under it."""
        section: Section = at.block
        return self.apart.join([self.heading(section, at), self.blocks(section.blocks, opening=True)])

    def blocks(self, blocks: Sequence[Any], opening: bool = False) -> str:
        """Blocks one after the other; the paragraph that opens a section stays with a formula or table after it."""
        first = (
            opening and len(blocks) > 1 and isinstance(bare(blocks[1]), Equation | Aligned | Steps | Table | Listing)
        )
        return self.apart.join(self.block(b, leads=first and k == 0) for k, b in enumerate(blocks))

    def block(self, block: Any, leads: bool = False) -> str:
        """Any block, numbered or not; `leads` keeps a paragraph on the page of what follows it."""
        at = block if isinstance(block, Numbered) else Numbered(block, "", "")
        match at.block:
            case Paragraph(content):
                return self.paragraph(content, leads or leads_on(content))
            case Equation(math, _, note):
                return self.display([(None, math)], at) + (self.note(note) if note else "")
            case Aligned(rows, _, note):
                return self.display(rows, at) + (self.note(note) if note else "")
            case Steps(steps):
                return self.apart.join(self.step(s) for s in steps if isinstance(s, Numbered))
            case Table() as table:
                return self.table(table, at)
            case Figure() as figure:
                return self.figure(figure, at)
            case Listing() as listing:
                return self.listing(listing, at)
            case Box() as box:
                return self.box(box)
            case Bullets(items, ordered):
                return self.bullets(items, ordered)
            case References(entries):
                return self.sources([(self.manuscript.source(key), text) for key, text in entries.items()])
        raise TypeError(f"no {type(self).__name__} for {type(at.block).__name__}")

    def parts(self, rows: Rows) -> tuple[fit.Display, ...]:
        """The lines of a display, in parts between which a page may end."""
        return fit.pages(fit.display(rows, DISPLAY_EM))

    @abstractmethod
    def heading(self, section: Section, at: Numbered) -> str:
        """The heading of a section."""

    @abstractmethod
    def paragraph(self, content: Text, leads: bool) -> str:
        """A paragraph; one that leads stands on the page of what follows it."""

    @abstractmethod
    def display(self, rows: Rows, at: Numbered) -> str:
        """A display, with its number if it has one."""

    @abstractmethod
    def note(self, note: Text) -> str:
        """The remark beneath a display."""

    @abstractmethod
    def step(self, at: Numbered) -> str:
        """A step of a derivation."""

    @abstractmethod
    def table(self, table: Table, at: Numbered) -> str:
        """A table, with its caption if it has a number."""

    @abstractmethod
    def figure(self, figure: Figure, at: Numbered) -> str:
        """A figure and its caption."""

    @abstractmethod
    def listing(self, listing: Listing, at: Numbered) -> str:
        """A program."""

    @abstractmethod
    def box(self, box: Box) -> str:
        """Blocks in a frame."""

    @abstractmethod
    def bullets(self, items: Sequence[Text], ordered: bool) -> str:
        """A list."""

    @abstractmethod
    def sources(self, entries: Sequence[tuple[Target, Text]]) -> str:
        """The list of references."""

    # ------------------------------------------------------------ inside a line

    def text(self, text: Text, room: float = TEXT_EM, share: float = INLINE_SHARE) -> str:
        """Inline items one after the other."""
        return "".join(self.inline(i, room, share) for i in inlines(text))

    def inline(self, item: Inline, room: float, share: float) -> str:
        """Any item inside a line."""
        match item:
            case str():
                return self.plain(item, room)
            case Formula(math):
                lines = formula_lines(math, room * share)
                if lines is None:
                    return self.formula(math, tall=extent.height(math) > 1.6)
                if share < 1:
                    return self.inset(fit.display([(None, math)], DISPLAY_EM), math)
                return self.broken(lines, math)
            case Bold(content):
                return self.bold(self.text(content, room, share))
            case Emph(content):
                return self.emph(self.text(content, room, share))
            case Code(text):
                return self.code(text, room)
            case Ref(label):
                return self.link(self.manuscript.target(label))
            case Cite(key):
                return self.link(self.manuscript.source(key))
        raise TypeError(f"no {type(self).__name__} for {type(item).__name__}")

    @abstractmethod
    def plain(self, text: str, room: float) -> str:
        """Text, escaped."""

    @abstractmethod
    def formula(self, math: pr.Math, tall: bool) -> str:
        """A formula within a line; a tall one keeps away from the lines above and below."""

    @abstractmethod
    def inset(self, lines: fit.Display, math: pr.Math) -> str:
        """A formula too wide for its line, on lines of its own."""

    @abstractmethod
    def broken(self, lines: fit.Display, math: pr.Math) -> str:
        """A formula too wide for its cell of a table, broken."""

    @abstractmethod
    def bold(self, inside: str) -> str:
        """Bold."""

    @abstractmethod
    def emph(self, inside: str) -> str:
        """Emphasis."""

    @abstractmethod
    def code(self, text: str, room: float) -> str:
        """Program text."""

    @abstractmethod
    def link(self, target: Target) -> str:
        """A reference."""


def bare(block: Any) -> Any:
    """A block without its number."""
    return block.block if isinstance(block, Numbered) else block
