"""A document as Typst source."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from rnnderive import printing as pr
from rnnderive.printing.notation import SIGNS
from rnnderive.report import fit
from rnnderive.report.characters import composed, pieces, printable, typographic
from rnnderive.report.document import (
    Box,
    Document,
    Figure,
    Listing,
    Numbered,
    Section,
    Step,
    Table,
    Text,
    plain,
)
from rnnderive.report.measures import TEXT_EM, column_shares, table_lines, wrapped
from rnnderive.report.numbering import Manuscript, Target
from rnnderive.report.printer import Figures, Printer, Rows, bare, preamble

__all__ = ["escape", "typst_source"]


def typst_source(document: Document | Manuscript, figures: Figures | None = None) -> str:
    """Return a document as Typst source.

    Parameters
    ----------
    document : Document or Manuscript
        What to print; a document is numbered first.
    figures : mapping, optional
        File and width (cm) of every figure, by its anchor; ``figures/figure-1`` and 16 cm unless
        given.  The file is named without its suffix, which is ``.svg`` here.
    """
    return _Printer(document, figures).document()


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


class _Printer(Printer):
    # ------------------------------------------------------------ document

    def document(self) -> str:
        d = self.manuscript.document
        about = f"title: {self.string(plain(d.title))}, " + (f"author: {self.string(d.author)}, " if d.author else "")
        head = [
            f"#set document({about}date: none)",
            preamble("typ"),
            f"#set text(lang: {_string(self.words.lang)})",
            self.title(d),
        ]
        if d.contents:
            head.append(f"#outline(title: [{self.text(self.words('structure.contents'))}], depth: 2)")
        return "\n\n".join([*head, self.body(), *self.footer(d)]) + "\n"

    def title(self, d: Document) -> str:
        lines = [f"#title[{self.text(d.title)}]"]
        if d.subtitle:
            lines.append(f"#text(size: 1.1em)[{self.text(d.subtitle)}]")
        if d.author:
            lines.append(self.text(d.author))
        return "#align(center)[\n  #set par(justify: false)\n  " + "\n\n  ".join(lines) + "\n]\n#v(0.8em)"

    def footer(self, d: Document) -> list[str]:
        if not d.footer:
            return []
        lines = " \\\n".join(self.text(line) for line in d.footer)
        rule = "#line(length: 100%, stroke: 0.4pt + luma(60%))"
        return [f"#v(1em)\n#block(breakable: false)[\n{rule}\n#text(size: 0.85em)[\n{lines}\n]\n]"]

    def heading(self, section: Section, at: Numbered) -> str:
        lead = f"{at.number}~#h(0.4em)" if at.number else ""
        return f"#heading(level: {section.level})[{lead}{self.text(section.title)}] <{at.anchor}>"

    # ------------------------------------------------------------ blocks

    def paragraph(self, content: Text, leads: bool) -> str:
        text = self.text(content)
        return f"#lead[{text}]" if leads else text

    def display(self, rows: Rows, at: Numbered) -> str:
        parts = self.parts(rows)
        out = []
        for k, part in enumerate(parts):
            last = k == len(parts) - 1
            tag = f"number: [({at.number})]" if last and at.number else "number: none"
            anchor = f" <{at.anchor}>" if last and at.anchor else ""
            above = ", above: 0.75em" if k else ""
            out.append(f"#display({tag}{above}, {_math(part)}){anchor}")
        return "\n".join(out)

    def note(self, note: Text) -> str:
        return f"\n#note[{self.text(note)}]"

    def step(self, at: Numbered) -> str:
        step: Step = at.block
        mark = f"text(fill: rgb({_string(_colour(step.mark))}))[{self.text(step.mark, 9.0)}]" if step.mark else "[]"
        head = f"#step([{self.plain(at.number, TEXT_EM)}], [{self.text(step.rule)}], {mark}) <{at.anchor}>"
        lines = (f"#display(inset: 2em, above: 0.75em, {_math(p)})" for p in self.parts([(None, step.math)]))
        return "\n".join([head, *lines])

    def table(self, table: Table, at: Numbered) -> str:
        shares = column_shares(table)
        names = {"l": "left", "c": "center", "r": "right"}
        align = ", ".join(f"{names[a]} + top" for a in table.align or "l" * len(shares))
        columns = ", ".join(f"{s * 100:g}%" for s in shares)
        rows = "".join(f"  {self.row(row, shares)},\n" for row in table.rows)
        body = (
            f"#block(width: 100%, align(center, text(size: 0.92em, table(\n"
            f"  columns: ({columns},), align: ({align},), stroke: none, inset: (x: 0pt, y: 0.38em),\n"
            f"  column-gutter: 0.98em,\n"
            f"  table.hline(stroke: 0.9pt), table.header({self.row(table.header, shares, bold=True)}, "
            f"table.hline(stroke: 0.5pt)),\n{rows}  table.hline(stroke: 0.9pt),\n))))"
        )
        room = f"#atleast({4 + 1.75 * table_lines(table, shares):g}em)"
        return f"{room}\n{self.caption(at, table.caption, sticky=True)}\n{body}"

    def row(self, cells: Iterable[Text], shares: tuple[float, ...], bold: bool = False) -> str:
        out = []
        for cell, share in zip(cells, shares, strict=True):
            inside = self.text(cell, share * TEXT_EM, share=1.0)
            out.append(f"[#strong[{inside}]]" if bold else f"[{inside}]")
        return ", ".join(out)

    def caption(self, at: Numbered, text: Text, sticky: bool = False) -> str:
        if not at.word:
            return ""
        body = f"#caption([{escape(at.word)}{'.' if text else ''}], [{self.text(text)}])"
        return f"#block(sticky: {'true' if sticky else 'false'}, width: 100%)[{body}] <{at.anchor}>"

    def figure(self, figure: Figure, at: Numbered) -> str:
        path, wide = self.figures.get(at.anchor, (f"figures/{figure.stem or at.anchor}", 16.0))
        picture = f"#image({_string(path + '.svg')}, width: {wide:g}cm, alt: {self.string(figure.alt)})"
        caption = f"#caption([{escape(at.word)}.], [{self.text(figure.caption)}])"
        return f"#block(breakable: false, width: 100%)[#align(center)[{picture}]\n{caption}] <{at.anchor}>"

    def listing(self, listing: Listing, at: Numbered) -> str:
        lines = ["  ↪ " * more + printable(composed(line)) for more, line in wrapped(listing.code)]
        code = f"raw({_string(chr(10).join(lines))}, block: true, lang: {_string(listing.language)})"
        return f"{self.caption(at, listing.caption, sticky=True)}\n#listing({code})".lstrip("\n")

    def box(self, box: Box) -> str:
        head = f"#strong[{self.text(box.title)}]\n\n" if box.title else ""
        long = any(isinstance(bare(b), Table | Listing) for b in box.blocks)
        return f"#framed({'true' if long else 'false'})[\n{head}{self.blocks(box.blocks)}\n]"

    def bullets(self, items: Sequence[Text], ordered: bool) -> str:
        inside = ", ".join(f"[{self.text(i)}]" for i in items)
        return f"#{'enum' if ordered else 'list'}({inside})"

    def sources(self, entries: Sequence[tuple[Target, Text]]) -> str:
        return "\n\n".join(
            f"#grid(columns: (2.2em, 1fr), [{escape(at.text)}], [{self.text(text)}]) <{at.anchor}>"
            for at, text in entries
        )

    # ------------------------------------------------------------ inside a line

    def string(self, text: str) -> str:
        return _string(typographic(text, self.words.quotes))

    def plain(self, text: str, room: float) -> str:
        return "#sym.zws;".join(map(escape, pieces(printable(typographic(text, self.words.quotes)), room)))

    def formula(self, math: pr.Math, tall: bool) -> str:
        shown = f"math({_string(pr.text(math))}, ${pr.typst(math)}$)"
        return f"#roomy({shown});" if tall else f"#{shown};"

    def inset(self, lines: fit.Display, math: pr.Math) -> str:
        return f"#display({_math(lines)});"

    def broken(self, lines: fit.Display, math: pr.Math) -> str:
        return f"#fitted({_math(lines)});"

    def bold(self, inside: str) -> str:
        return f"#strong[{inside}];"

    def emph(self, inside: str) -> str:
        return f"#emph[{inside}];"

    def code(self, text: str, room: float) -> str:
        shown = pieces(printable(composed(text)).replace("\n", " "), room, 12)
        return "#sym.zws;".join(f"#raw({_string(p)});" for p in shown)

    def link(self, target: Target) -> str:
        return f"#link(<{target.anchor}>)[{escape(target.text)}];"


def _colour(mark: str) -> str:
    return "#00664f" if mark.startswith("✓") else "#b03a00" if mark.startswith("✗") else "#444444"


# ---------------------------------------------------------------- displays


def _math(shown: fit.Display) -> str:
    return f"math({_string(fit.spoken(shown))}, ${_display(shown)}$)"


def _display(shown: fit.Display) -> str:
    """The inside of a displayed formula; spaces at both ends make it a display."""
    two = any(left for left, _ in shown.rows) or shown.shadow is not None
    rows = []
    for k, (left, right) in enumerate(shown.rows):
        lead = _line(left) if left else ""
        if k == 0 and shown.shadow is not None:
            lead = f"#beneath(${_line(shown.shadow)}$, ${lead}$) {lead}"
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
