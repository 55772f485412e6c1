"""A document as Typst source."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from rnnderive import printing as pr
from rnnderive.printing.notation import SIGNS
from rnnderive.report import fit
from rnnderive.report.characters import clean, pieces
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
    Step,
    Steps,
    Table,
    Text,
    inlines,
    plain,
)
from rnnderive.report.measures import DISPLAY_EM, INLINE_SHARE, TEXT_EM, column_shares, formula_lines, wrapped
from rnnderive.report.numbering import Manuscript, Target, number

__all__ = ["escape", "typst_source"]

_PREAMBLE = r"""
#set page(paper: "a4", margin: (x: 2.5cm, top: 2.5cm, bottom: 2.7cm), numbering: "1")
#set text(font: "New Computer Modern", size: 11pt)
#set smartquote(enabled: false)
#set par(justify: true, leading: 0.62em, spacing: 0.95em)
#set heading(numbering: none)
#show heading: set block(above: 1.6em, below: 0.9em)
#show heading.where(level: 1): set text(size: 1.12em)
#show math.equation: set text(font: "New Computer Modern Math", weight: 400)
#show math.equation.where(block: true): set align(left)
#show math.equation.where(block: true): set block(above: 0pt, below: 0pt)
#show math.equation.where(block: true): set par(leading: 0.75em)
#show table: set par(justify: false)
#show table.cell: it => { show math.equation.where(block: false): box.with(inset: (y: 0.22em), baseline: 0.22em); it }
#set math.mat(row-gap: 0.5em)
#show raw: set text(font: "DejaVu Sans Mono")
#show raw.where(block: false): set text(size: 0.95em)
#show link: set text(fill: rgb("#1f4e79"))

// Sets its body at its own size, or smaller where it would leave the line or the page.
#let fitted(body) = layout(size => {
  let own = measure(body)
  let ratio = calc.min(1, size.width / calc.max(own.width, 1pt), 23cm / calc.max(own.height, 1pt))
  if ratio < 1 { scale(ratio * 100%, origin: left + top, reflow: true, box(width: own.width, body)) } else { body }
})
#let display(body, number: none, inset: 1.6em, above: 0.95em) = block(
  width: 100%, breakable: false, above: above, below: 0.95em, inset: (left: inset),
  grid(columns: (1fr, auto), column-gutter: 0.8em, align: (left + horizon, right + horizon), fitted(body), number),
)
// Text whose letters are not joined: -- is two hyphens here, not a dash.
#let apart = text.with(features: ("liga": 0))
#let note(body) = block(inset: (left: 1.6em), above: 0.6em, text(size: 0.9em, fill: luma(30%), body))
#let step(number, rule, mark) = block(
  width: 100%, breakable: false, sticky: true, above: 1.2em, below: 0.7em,
  grid(columns: (1.6em, 1fr, 9em), column-gutter: 0.4em, align: (left, left, right),
    strong(number), emph(rule), text(size: 0.9em, mark)),
)
#let caption(word, body) = block(width: 100%, above: 0.8em, below: 0.8em, align(center, box(width: 92%, {
  set par(justify: false)
  text(size: 0.92em)[#strong(word) #body]
})))
#let listing(code) = block(
  width: 100%, inset: (left: 0.7em, y: 0.3em), stroke: (left: 1.2pt + luma(75%)), {
    show raw: set text(size: 7.9pt)
    set par(justify: false, leading: 0.55em)
    code
  },
)
#let framed(body) = block(
  width: 100%, inset: (x: 0.9em, y: 0.8em), radius: 2pt, stroke: 0.8pt + rgb("#1f4e79"), fill: rgb("#f4f8fb"), body,
)
"""


def typst_source(document: Document | Manuscript, figures: Mapping[str, tuple[str, float]] | None = None) -> str:
    """Return a document as Typst source.

    Parameters
    ----------
    document : Document or Manuscript
        What to print; a document is numbered first.
    figures : mapping, optional
        File and width (cm) of every figure, by its anchor; ``figures/figure-1`` and 16 cm unless
        given.  The file is named without its suffix, which is ``.svg`` here.
    """
    manuscript = number(document) if isinstance(document, Document) else document
    return _Printer(manuscript, figures or {}).document()


def escape(text: str) -> str:
    """Return text as Typst markup that shows it letter by letter.

    Examples
    --------
    >>> escape("#let $x_1$ = [a]")
    '\\\\#let \\\\$x\\\\_1\\\\$ \\\\= \\\\[a\\\\]'
    """
    text = re.sub(r"[\\#$*_<>@\[\]~`]", r"\\\g<0>", text)
    # Signs that begin a list, a heading or a comment, or join to a dash or dots.
    text = re.sub(r"(?<![^\W_])[-+=/.]|[-+=/](?![^\W_])", r"\\\g<0>", text)
    text = re.sub(r"(?:\\-){2,}|,{2,}|[!?]\\`", r"#apart[\g<0>];", text)
    return re.sub(r"^(\s*\d+)([.)])", r"\1\\\2", text)


def _string(text: str) -> str:
    """A Typst string literal."""
    return json.dumps(text, ensure_ascii=False)


class _Printer:
    def __init__(self, manuscript: Manuscript, figures: Mapping[str, tuple[str, float]]) -> None:
        self.manuscript, self.figures = manuscript, figures

    # ------------------------------------------------------------ document

    def document(self) -> str:
        d = self.manuscript.document
        head = [
            f"#set document(title: {_string(plain(d.title))}, author: {_string(d.author)}, date: none)"
            if d.author
            else f"#set document(title: {_string(plain(d.title))}, date: none)",
            _PREAMBLE.strip(),
            f"#set text(lang: {_string(d.lang)})",
            self.title(d),
        ]
        if d.contents:
            head.append(f"#outline(title: [{self.text(self.manuscript.words('structure.contents'))}], depth: 2)")
        return "\n\n".join([*head, *map(self.section, self.manuscript.sections), *self.footer(d)]) + "\n"

    def title(self, d: Document) -> str:
        lines = [f"#text(size: 1.6em)[#strong[{self.text(d.title)}]]"]
        if d.subtitle:
            lines.append(f"#text(size: 1.1em)[{self.text(d.subtitle)}]")
        if d.author:
            lines.append(self.text(d.author))
        return "#align(center)[\n  #set par(justify: false)\n  " + "\n\n  ".join(lines) + "\n]\n#v(0.8em)"

    def footer(self, d: Document) -> list[str]:
        if not d.footer:
            return []
        lines = " \\\n".join(self.text(line) for line in d.footer)
        return [f"#v(1em)\n#line(length: 100%, stroke: 0.4pt + luma(60%))\n#text(size: 0.85em)[\n{lines}\n]"]

    def section(self, s: Numbered) -> str:
        section: Section = s.block
        lead = f"{s.number}#h(0.7em)" if s.number else ""
        heading = f"#heading(level: {section.level})[{lead}{self.text(section.title)}] <{s.anchor}>"
        return "\n\n".join([heading, *map(self.block, section.blocks)])

    # ------------------------------------------------------------ blocks

    def block(self, block: Any) -> str:
        numbered = block if isinstance(block, Numbered) else Numbered(block, "", "")
        match numbered.block:
            case Paragraph(content):
                return self.text(content)
            case Equation(math, _, note):
                return self.display([(None, math)], numbered) + self.note(note)
            case Aligned(rows, _, note):
                return self.display(rows, numbered) + self.note(note)
            case Steps(steps):
                return "\n".join(self.step(s) for s in steps)
            case Table() as table:
                return self.table(table, numbered)
            case Figure() as figure:
                return self.figure(figure, numbered)
            case Listing() as listing:
                return self.listing(listing, numbered)
            case Box(blocks, title):
                head = f"#strong[{self.text(title)}]\n\n" if title else ""
                return "#framed[\n" + head + "\n\n".join(map(self.block, blocks)) + "\n]"
            case Bullets(items, ordered):
                return self.bullets(items, ordered)
            case References(entries):
                return "\n\n".join(self.source(self.manuscript.source(k), v) for k, v in entries.items())
        raise TypeError(f"no Typst for {type(block).__name__}")

    def display(self, rows: Iterable[tuple[pr.Math | None, pr.Math]], at: Numbered) -> str:
        parts = fit.pages(fit.display(rows, DISPLAY_EM))
        out = []
        for k, part in enumerate(parts):
            last = k == len(parts) - 1
            tag = f"number: [({at.number})]" if last and at.number else "number: none"
            anchor = f" <{at.anchor}>" if last and at.anchor else ""
            above = ", above: 0.75em" if k else ""
            out.append(f"#display({tag}{above}, ${_display(part)}$){anchor}")
        return "\n".join(out)

    def note(self, note: Text | None) -> str:
        return f"\n#note[{self.text(note)}]" if note else ""

    def step(self, s: Step | Numbered) -> str:
        assert isinstance(s, Numbered)
        step: Step = s.block
        mark = f"text(fill: rgb({_string(_colour(step.mark))}))[{self.text(step.mark, 9.0)}]" if step.mark else "[]"
        head = f"#step([{escape(clean(s.number))}], [{self.text(step.rule)}], {mark}) <{s.anchor}>"
        parts = fit.pages(fit.display([(None, step.math)], DISPLAY_EM))
        return "\n".join([head, *(f"#display(inset: 2em, above: 0.75em, ${_display(p)}$)" for p in parts)])

    def table(self, table: Table, at: Numbered) -> str:
        shares = column_shares(table)
        names = {"l": "left", "c": "center", "r": "right"}
        align = ", ".join(f"{names[a]} + top" for a in table.align or "l" * len(shares))
        columns = ", ".join(f"{s * 100:g}%" for s in shares)
        cells = [self.row(table.header, shares, bold=True)]
        cells += [self.row(row, shares) for row in table.rows]
        body = (
            f"#block(width: 100%, align(center, text(size: 0.92em, table(\n"
            f"  columns: ({columns},), align: ({align},), stroke: none, inset: (x: 0pt, y: 0.4em),\n"
            f"  column-gutter: 0.98em,\n"
            f"  table.hline(stroke: 0.9pt), table.header({cells[0]}, table.hline(stroke: 0.5pt)),\n"
            + "".join(f"  {row},\n" for row in cells[1:])
            + "  table.hline(stroke: 0.9pt),\n))))"
        )
        head = self.caption(at, table.caption, sticky=True)
        return f"{head}\n{body}".lstrip("\n")

    def row(self, cells: Iterable[Text], shares: tuple[float, ...], bold: bool = False) -> str:
        out = []
        for cell, share in zip(cells, shares, strict=True):
            inside = self.text(cell, share * TEXT_EM, share=1.0)
            out.append(f"[#strong[{inside}]]" if bold else f"[{inside}]")
        return ", ".join(out)

    def caption(self, at: Numbered, text: Text, sticky: bool = False) -> str:
        if not at.word:
            return ""
        end = "." if text else ""
        body = f"#caption([{escape(at.word)}{end}], [{self.text(text)}])"
        return f"#block(sticky: {'true' if sticky else 'false'}, width: 100%)[{body}] <{at.anchor}>"

    def figure(self, figure: Figure, at: Numbered) -> str:
        path, wide = self.figures.get(at.anchor, (f"figures/{figure.stem or at.anchor}", 16.0))
        picture = f"#image({_string(path + '.svg')}, width: {wide:g}cm, alt: {_string(clean(figure.alt))})"
        caption = f"#caption([{escape(at.word)}.], [{self.text(figure.caption)}])"
        return f"#block(breakable: false, width: 100%)[#align(center)[{picture}]\n{caption}] <{at.anchor}>"

    def listing(self, listing: Listing, at: Numbered) -> str:
        lines = ["  ↪ " * more + clean(line, verbatim=True) for more, line in wrapped(listing.code)]
        code = f"raw({_string(chr(10).join(lines))}, block: true, lang: {_string(listing.language)})"
        return f"{self.caption(at, listing.caption, sticky=True)}\n#listing({code})".lstrip("\n")

    def bullets(self, items: Iterable[Text], ordered: bool) -> str:
        inside = ", ".join(f"[{self.text(i)}]" for i in items)
        return f"#{'enum' if ordered else 'list'}({inside})"

    def source(self, at: Target, text: Text) -> str:
        return f"#grid(columns: (2.2em, 1fr), [{escape(at.text)}], [{self.text(text)}]) <{at.anchor}>"

    # ------------------------------------------------------------ inside a line

    def text(self, text: Text, room: float = TEXT_EM, share: float = INLINE_SHARE) -> str:
        return "".join(self.inline(i, room, share) for i in inlines(text))

    def inline(self, item: Inline, room: float, share: float) -> str:
        match item:
            case str():
                return "#sym.zws;".join(map(escape, pieces(clean(item), room)))
            case Formula(math):
                shown = formula_lines(math, room * share)
                if shown is None:
                    return f"${pr.typst(math)}$"
                if share < 1:
                    shown = fit.display([(None, math)], DISPLAY_EM)
                return f"#display(${_display(shown)}$);" if share < 1 else f"#fitted(${_display(shown)}$);"
            case Bold(content):
                return f"#strong[{self.text(content, room, share)}];"
            case Emph(content):
                return f"#emph[{self.text(content, room, share)}];"
            case Code(text):
                return "#sym.zws;".join(
                    f"#raw({_string(p)});" for p in pieces(clean(text, True).replace("\n", " "), room, 12)
                )
            case Ref(label):
                return self.link(self.manuscript.target(label))
            case Cite(key):
                return self.link(self.manuscript.source(key))
        raise TypeError(f"no Typst for {type(item).__name__}")

    def link(self, target: Target) -> str:
        return f"#link(<{target.anchor}>)[{escape(target.text)}];"


def _colour(mark: str) -> str:
    return "#00664f" if mark.startswith("✓") else "#b03a00" if mark.startswith("✗") else "#444444"


# ---------------------------------------------------------------- displays


def _display(shown: fit.Display) -> str:
    """The inside of a displayed formula; spaces at both ends make it a display."""
    two = any(left for left, _ in shown.rows) or shown.shadow is not None
    rows = []
    for k, (left, right) in enumerate(shown.rows):
        lead = _line(left) if left else ""
        if k == 0 and shown.shadow is not None and not left:
            lead = f"#hide[${_line(shown.shadow)}$]"
        rows.append(f"{lead} & {_line(right)}" if two else f"& {_line(right)}" if len(shown.rows) > 1 else _line(right))
    return " " + " \\\n  ".join(rows) + " "


def _line(line: fit.Line) -> str:
    out = [f"#h({line.indent:g}em)"] if line.indent else []
    for k, piece in enumerate(line.pieces):
        out.append(_piece(piece, first=k == 0))
    return " ".join(out)


def _piece(piece: fit.Piece, first: bool) -> str:
    match piece:
        case fit.Sign(name):
            sign = SIGNS[name].typst
            # A binary sign that begins a line would be set as a unary one, without its space.
            return f'class("binary", {sign})' if first and name in {"+", "-", "odot", "kron", "cdot"} else sign
        case fit.Delimiter():
            glyph = {"(": "\\(", ")": "\\)", "[": "\\[", "]": "\\]", "|": "|", "‖": "‖"}[piece.glyph]
            side = "opening" if piece.opening else "closing"
            size = 1.2 if piece.height < 1.9 else 1.8 if piece.height < 2.8 else 2.4
            sub = f"_({pr.typst(piece.sub)})" if piece.sub else ""
            sup = f"^({pr.typst(piece.sup)})" if piece.sup else ""
            return f'class("{side}", lr({glyph}, size: #{size:g}em)){sub}{sup}'
        case pr.Math():
            return pr.typst(piece)
