"""The one pass that numbers a document for every printer, in the document's language.

Printers see a :class:`Manuscript`, in which every number, anchor and reference is settled; so
the outputs of one document cannot disagree about them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from rnnderive import printing as pr
from rnnderive.errors import InputError
from rnnderive.report.document import (
    Aligned,
    Box,
    Bullets,
    Document,
    Equation,
    Figure,
    Listing,
    Numbered,
    Paragraph,
    References,
    Section,
    Step,
    Steps,
    Table,
    plain,
)
from rnnderive.report.languages import Words, load

__all__ = ["Manuscript", "Target", "number"]


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
    words: Words
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
        For a label given twice, an unknown language, a title or a list that is empty, and levels
        that are not 1 and 2 or begin with 2.
    """
    if not plain(document.title).strip():
        raise InputError("the document has no title; expected one, which readers and their programs call it by")
    words = load(document.lang)
    if words.decimal != ".":
        document = _with_math(document, words)
    clerk = _Clerk(words)
    sections = tuple(clerk.section(s) for s in document.sections)
    return Manuscript(document, words, sections, clerk.targets, clerk.sources)


def _with_math(value: Any, words: Words) -> Any:
    """A document, or any part of one, whose formulas have the decimal mark of its language."""
    if isinstance(value, pr.Math):
        return words.math(value)
    if isinstance(value, list | tuple):
        return tuple(_with_math(v, words) for v in value)
    if isinstance(value, Mapping):
        return {k: _with_math(v, words) for k, v in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: _with_math(getattr(value, f.name), words) for f in fields(value)}
        return _rebuilt(value, changed)
    return value


def _rebuilt(value: Any, changed: Mapping[str, Any]) -> Any:
    """Bold, Emph and Paragraph take their content as arguments."""
    return type(value)(*changed["content"]) if set(changed) == {"content"} else replace(value, **changed)


class _Clerk:
    """Counts, once, in reading order."""

    def __init__(self, words: Words) -> None:
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
        if not plain(section.title).strip():
            raise InputError("a section has no title; expected one, which the outline shows")
        if section.level == 2 and "heading" not in self.counts:
            raise InputError(
                f"the first section, {plain(section.title)!r}, has level 2; expected one of level 1 before it"
            )
        anchor = f"section-{self.count('heading')}"
        number = self.section_number(section.level) if section.numbered else ""
        self.aim(section.label, self.named("section", number) if number else plain(section.title), anchor)
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
                return self.captioned(block, "table")
            case Figure():
                return self.captioned(block, "figure")
            case Listing() if block.caption or block.label:
                return self.captioned(block, "listing")
            case Box():
                return Box(tuple(self.block(b) for b in block.blocks), block.title)
            case References():
                for key in block.entries:
                    k = self.count("source")
                    self.sources[key] = Target(f"[{k}]", f"source-{k}")
                return block
            case Bullets() if not block.items:
                raise InputError("a list has no items; expected one or more")
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
        self.aim(step.label, self.named("step", str(step.number)), anchor)
        return Numbered(step, str(step.number), anchor)

    def captioned(self, block: Table | Figure | Listing, kind: str) -> Numbered:
        number = str(self.count(kind))
        anchor, name = f"{kind}-{number}", self.named(kind, number)
        self.aim(block.label, name, anchor)
        return Numbered(block, number, anchor, name)

    def named(self, kind: str, number: str) -> str:
        return plain(self.words(f"structure.{kind}", number=number))
