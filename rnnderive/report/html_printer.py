"""A document as one HTML file: formulas in MathML, figures inside, no script and nothing from the network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from html import escape

from rnnderive import printing as pr
from rnnderive.printing.mathml import row, scripted, table
from rnnderive.printing.notation import SIGNS
from rnnderive.report import extent, fit
from rnnderive.report.characters import composed, typographic
from rnnderive.report.document import Block, Box, Document, Figure, Listing, Numbered, Section, Step, Table, Text, plain
from rnnderive.report.drawing import drawing
from rnnderive.report.measures import DISPLAY_EM, INLINE_SHARE, TEXT_EM
from rnnderive.report.numbering import Manuscript, Target
from rnnderive.report.printer import Figures, Printer, Rows, preamble

__all__ = ["html_blocks", "html_fragment", "html_source"]

# A browser that reads this fetches nothing and runs nothing, whatever the text says.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_CLOSED = re.compile(r'(<math display="inline"(?:(?!</math>).)*</math>)([,.;:!?)»”]+)')
_WIDE_EM = 14.0  # a formula in a line that is wider scrolls by itself on a phone


def html_source(document: Document | Manuscript, figures: Figures | None = None) -> str:
    """Return a document as one HTML page.

    Parameters
    ----------
    document : Document or Manuscript
        What to print; a document is numbered first.
    figures : mapping, optional
        SVG and width (cm) of every figure, by its anchor; drawn here unless given.
    """
    return _Printer(document, figures).document()


def html_fragment(document: Document | Manuscript, figures: Figures | None = None) -> str:
    """Return a document as a piece of HTML that carries its style, to stand in a notebook."""
    return _Printer(document, figures).styled(_Printer.article)


def html_blocks(blocks: Sequence[Block], lang: str = "en") -> str:
    """Return some blocks as a piece of HTML, without a title."""
    document = Document("blocks", [Section("blocks", blocks)], lang=lang)
    return _Printer(document).styled(lambda p: p.blocks(p.manuscript.sections[0].block.blocks))


class _Printer(Printer):
    apart = "\n"

    # ------------------------------------------------------------ document

    def document(self) -> str:
        d = self.manuscript.document
        author = f'<meta name="author" content="{self.plain(d.author, 0)}">\n' if d.author else ""
        return (
            f'<!DOCTYPE html>\n<html lang="{escape(self.words.lang)}">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n{author}'
            f"<title>{self.plain(plain(d.title), 0)}</title>\n<style>\n{preamble('css')}\n</style>\n</head>\n<body>\n"
            f'<main class="rnnderive">\n{self.article()}\n</main>\n</body>\n</html>\n'
        )

    def styled(self, inside: Callable[[_Printer], str]) -> str:
        lead = f'<style>\n{preamble("css")}\n</style>\n<div class="rnnderive" lang="{escape(self.words.lang)}">'
        return f"{lead}\n{inside(self)}\n</div>"

    def article(self) -> str:
        d = self.manuscript.document
        return "\n".join([self.title(d), self.body(), *self.footer(d)])

    def title(self, d: Document) -> str:
        lines = [f"<h1>{self.text(d.title)}</h1>"]
        if d.subtitle:
            lines.append(f'<p class="subtitle">{self.text(d.subtitle)}</p>')
        if d.author:
            lines.append(f"<p>{self.plain(d.author, 0)}</p>")
        return "<header>\n" + "\n".join(lines) + "\n</header>" + (self.contents() if d.contents else "")

    def contents(self) -> str:
        heading = self.text(self.words("structure.contents"))
        lines = [
            f'<li class="level-{s.block.level}"><a href="#{s.anchor}">{self.numbered_title(s)}</a></li>'
            for s in self.manuscript.sections
        ]
        return f'\n<nav aria-label="{heading}">\n<h2>{heading}</h2>\n<ul>\n' + "\n".join(lines) + "\n</ul>\n</nav>"

    def footer(self, d: Document) -> list[str]:
        lines = "<br>\n".join(self.text(line) for line in d.footer)
        return [f"<footer>\n<p>{lines}</p>\n</footer>"] if d.footer else []

    def section(self, at: Numbered) -> str:
        return f'<section aria-labelledby="{at.anchor}">\n{super().section(at)}\n</section>'

    def heading(self, section: Section, at: Numbered) -> str:
        level = section.level + 1
        return f'<h{level} id="{at.anchor}">{self.numbered_title(at)}</h{level}>'

    def numbered_title(self, at: Numbered) -> str:
        lead = f'<span class="number">{at.number}</span> ' if at.number else ""
        return lead + self.text(at.block.title)

    # ------------------------------------------------------------ blocks

    def paragraph(self, content: Text, leads: bool) -> str:
        return f"<p>{self.text(content)}</p>"

    def display(self, rows: Rows, at: Numbered) -> str:
        shown = _block(fit.display(rows, DISPLAY_EM))
        anchor = f' id="{at.anchor}"' if at.anchor else ""
        tag = f'<a class="tag" href="#{at.anchor}">({at.number})</a>' if at.number else ""
        return f'<div class="display"{anchor}><div class="scroll">{shown}</div>{tag}</div>'

    def note(self, note: Text) -> str:
        return f'\n<p class="note">{self.text(note)}</p>'

    def step(self, at: Numbered) -> str:
        step: Step = at.block
        kind = "good" if step.mark.startswith("✓") else "bad" if step.mark.startswith("✗") else "neutral"
        mark = f'<span class="mark {kind}">{self.text(step.mark)}</span>' if step.mark else ""
        head = f"<b>{self.plain(at.number, 0)}</b><em>{self.text(step.rule)}</em>{mark}"
        display = self.display([(None, step.math)], Numbered(step, "", ""))
        return f'<div class="step" id="{at.anchor}">\n<p class="rule">{head}</p>\n{display}\n</div>'

    def table(self, table: Table, at: Numbered) -> str:
        align = table.align or "l" * len(table.header)
        head = self.row("th scope=col", table.header, align)
        body = "\n".join(self.row("td", row, align) for row in table.rows)
        anchor = f' id="{at.anchor}"' if at.anchor else ""
        caption = f"<figcaption>{self.named(at, table.caption)}</figcaption>\n" if at.word else ""
        return (
            f'<figure class="table"{anchor}>\n{caption}<div class="scroll"><table>\n<thead>\n{head}\n</thead>\n'
            f"<tbody>\n{body}\n</tbody>\n</table></div>\n</figure>"
        )

    def row(self, tag: str, cells: Iterable[Text], align: str) -> str:
        name = tag.split()[0]
        inside = "".join(
            f'<{tag} class="{a}">{self.text(c, share=1.0)}</{name}>' for c, a in zip(cells, align, strict=True)
        )
        return f"<tr>{inside}</tr>"

    def named(self, at: Numbered, caption: Text) -> str:
        return f"<b>{escape(at.word)}{'.' if caption else ''}</b> {self.text(caption)}".strip()

    def figure(self, figure: Figure, at: Numbered) -> str:
        svg, wide = self.figures[at.anchor] if at.anchor in self.figures else _drawn(figure)
        picture = _inline_svg(svg, at.anchor, wide, self.plain(figure.alt, 0))
        caption = f"<figcaption>{self.named(at, figure.caption)}</figcaption>"
        return f'<figure id="{at.anchor}">\n<div class="scroll">{picture}</div>\n{caption}\n</figure>'

    def listing(self, listing: Listing, at: Numbered) -> str:
        code = escape(composed(listing.code.expandtabs(4).strip("\n")), quote=False)
        anchor = f' id="{at.anchor}"' if at.anchor else ""
        caption = f"<figcaption>{self.named(at, listing.caption)}</figcaption>\n" if at.word else ""
        return (
            f'<figure class="listing"{anchor}>\n{caption}'
            f'<pre><code class="language-{escape(listing.language)}">{code}</code></pre>\n</figure>'
        )

    def box(self, box: Box) -> str:
        head = f"<p><b>{self.text(box.title)}</b></p>\n" if box.title else ""
        return f'<div class="box">\n{head}{self.blocks(box.blocks)}\n</div>'

    def bullets(self, items: Sequence[Text], ordered: bool) -> str:
        tag = "ol" if ordered else "ul"
        lines = "\n".join(f"<li>{self.text(i)}</li>" for i in items)
        return f"<{tag}>\n{lines}\n</{tag}>"

    def sources(self, entries: Sequence[tuple[Target, Text]]) -> str:
        return "\n".join(
            f'<p class="source" id="{at.anchor}"><span>{escape(at.text)}</span><span>{self.text(text)}</span></p>'
            for at, text in entries
        )

    # ------------------------------------------------------------ inside a line

    def text(self, text: Text, room: float = TEXT_EM, share: float = INLINE_SHARE) -> str:
        # A sign of punctuation stays with the formula before it.
        return _CLOSED.sub(r'<span class="unbroken">\1\2</span>', super().text(text, room, share))

    def plain(self, text: str, room: float) -> str:
        return escape(typographic(text, self.words.quotes))

    def formula(self, math: pr.Math, tall: bool) -> str:
        shown = _math(pr.mathml(math), pr.text(math))
        return f'<span class="wide">{shown}</span>' if extent.width(math, "text") > _WIDE_EM else shown

    def inset(self, lines: fit.Display, math: pr.Math) -> str:
        return f'<span class="inset scroll">{_block(lines)}</span>'

    def broken(self, lines: fit.Display, math: pr.Math) -> str:
        return _block(lines)

    def bold(self, inside: str) -> str:
        return f"<b>{inside}</b>"

    def emph(self, inside: str) -> str:
        return f"<em>{inside}</em>"

    def code(self, text: str, room: float) -> str:
        return f"<code>{escape(composed(text), quote=False)}</code>"

    def link(self, target: Target) -> str:
        return f'<a href="#{target.anchor}">{escape(target.text)}</a>'


# ---------------------------------------------------------------- formulas


def _math(inside: str, spoken: str, display: str = "inline") -> str:
    return f'<math display="{display}" alttext="{escape(spoken)}">{inside}</math>'


def _block(shown: fit.Display) -> str:
    """A display: its lines in one column, or in two that meet at the sign."""
    two = any(left for left, _ in shown.rows)
    if len(shown.rows) == 1 and not two:
        return _math(_line(shown.rows[0][1]), fit.spoken(shown), "block")
    sides = [(left, right) if two else (right,) for left, right in shown.rows]
    entries = tuple(tuple(_line(side) if side else "" for side in row_) for row_ in sides)
    lines = table(entries, "lines two" if two else "lines").replace("<mtable", '<mtable displaystyle="true"', 1)
    return _math(lines, fit.spoken(shown), "block")


def _line(line: fit.Line) -> str:
    indent = [f'<mspace width="{line.indent:g}em"/>'] if line.indent else []
    return row(*indent, *map(_piece, line.pieces))


def _piece(piece: fit.Piece) -> str:
    match piece:
        case fit.Sign(name):
            # A sign between two pieces keeps its space where it begins a line.
            return SIGNS[name].mathml.replace("<mo>", '<mo form="infix">')
        case fit.Delimiter():
            form = "prefix" if piece.opening else "postfix"
            size = 1.2 if piece.height < 1.9 else 1.8 if piece.height < 2.8 else 2.4
            sized = f'stretchy="true" symmetric="true" minsize="{size:g}em" maxsize="{size:g}em"'
            return scripted(f'<mo form="{form}" fence="true" {sized}>{piece.glyph}</mo>', piece.sub, piece.sup)
        case pr.Math():
            return pr.mathml(piece)


# ---------------------------------------------------------------- figures


def _drawn(figure: Figure) -> tuple[str, float]:
    files, wide = drawing(figure.image)
    return files["svg"].decode(), wide


def _inline_svg(svg: str, anchor: str, wide: float, alt: str) -> str:
    """A picture as part of the page: its names made its own, its text for those who do not see it."""
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'(\bid="|\bhref="#|url\(#)', rf"\g<1>{anchor}-", svg)
    head, _, rest = svg.partition(">")
    head = re.sub(r' (?:width|height|version|xmlns(?::xlink)?)="[^"]*"', "", head)
    head += f' role="img" aria-labelledby="{anchor}-title" style="width:{wide:g}cm"'
    return re.sub(r"\n\s*\n+", "\n", f'{head}><title id="{anchor}-title">{alt}</title>{rest}'.strip())
