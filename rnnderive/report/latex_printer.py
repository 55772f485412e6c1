"""A document as LaTeX source, for pdfLaTeX with Debian's texlive-latex-recommended."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any

from rnnderive import printing as pr
from rnnderive.printing.notation import SIGNS
from rnnderive.report import fit
from rnnderive.report.characters import LATEX, LATIN, composed, is_cyrillic, pieces, printable, typographic
from rnnderive.report.document import (
    Aligned,
    Box,
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
    Text,
    plain,
)
from rnnderive.report.measures import DISPLAY_EM, TEXT_EM, column_shares, table_lines, wrapped
from rnnderive.report.numbering import Manuscript, Target
from rnnderive.report.printer import Figures, Printer, Rows, bare, preamble

__all__ = ["CYRILLIC_FILES", "FILES", "escape", "formula_source", "latex_source", "lines_source"]

FILES = (
    "article.cls", "fontenc.sty", "inputenc.sty", "lmodern.sty", "geometry.sty", "microtype.sty", "amsmath.sty",
    "amssymb.sty", "graphicx.sty", "array.sty", "longtable.sty", "booktabs.sty", "xcolor.sty", "fancyvrb.sty",
    "hyperref.sty", "lmr10.pfb", "lmmi10.pfb", "ec-lmr10.tfm", "msam10.pfb", "pdftex.def",
)  # fmt: skip
CYRILLIC_FILES = ("t2aenc.def", "t2acmr.fd", "sfrm1095.pfb")
# What sets a run of text in an encoding that is not the document's: a command, and its family of fonts.
_RUNS = {"T2A": ("cyr", "cmr"), "T1": ("lat", "lmr")}


def latex_source(document: Document | Manuscript, figures: Figures | None = None) -> str:
    """Return a document as LaTeX source.

    Parameters
    ----------
    document : Document or Manuscript
        What to print; a document is numbered first.
    figures : mapping, optional
        File and width (cm) of every figure, by its anchor; ``figures/figure-1`` and 16 cm unless
        given.  The file is named without its suffix, which is ``.pdf`` here.
    """
    return _Printer(document, figures).document()


_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "'": r"\textquotesingle{}", "`": r"\textasciigrave{}",
}  # fmt: skip


def escape(text: str, encoding: str = "T1") -> str:
    r"""Return text as LaTeX that shows it letter by letter, in a document of some encoding.

    Examples
    --------
    >>> escape("50% of $x_1$")
    '50\\% of \\$x\\_1\\$'
    >>> escape("да"), escape("да, é", "T2A")
    ('\\cyr{да}', 'да, \\lat{é}')
    """
    out = []
    for needed, run in itertools.groupby(text, lambda c: _encoding(c, encoding)):
        shown = "".join(run)
        if needed != encoding:
            out.append(rf"\{_RUNS[needed][0]}{{{shown}}}")
            continue
        shown = "".join(c if c in "–—" else _SPECIAL.get(c) or LATEX.get(c, c) for c in shown)
        # Pairs that a font would join: -- and ,, and !` and <<.
        shown = re.sub(r"([-,!?])(?=[-,`])", r"\1{}", shown)
        out.append(shown.replace("–", "--").replace("—", "---"))
    return "".join(out)


def _encoding(char: str, main: str) -> str:
    return "T2A" if is_cyrillic(char) else "T1" if char in LATIN else main


class _Printer(Printer):
    def __init__(self, document: Document | Manuscript, figures: Figures | None = None) -> None:
        super().__init__(document, figures)
        self.encoding: str = self.words.latex["encoding"]

    # ------------------------------------------------------------ document

    def document(self) -> str:
        d = self.manuscript.document
        body = "\n\n".join([self.title(d), self.body(), *self.footer(d)])
        others = [e for e, (command, _) in _RUNS.items() if e != self.encoding and rf"\{command}{{" in body]
        head = [preamble("tex").replace("ENCODINGS", ",".join([*others, self.encoding])), *self.language()]
        for other in others:
            command, family = _RUNS[other]
            head.append(
                rf"\newcommand{{\{command}}}[1]{{{{\fontencoding{{{other}}}\fontfamily{{{family}}}\selectfont #1}}}}"
            )
            head.append(rf"\pdfstringdefDisableCommands{{\def\{command}#1{{#1}}}}")
        title, author = self.bookmark(plain(d.title)), self.bookmark(d.author)
        about = rf"pdftitle={{{title}}},pdfauthor={{{author}}},pdflang={{{self.words.lang}}}"
        head.append(rf"\hypersetup{{{about}}}")
        return "\n".join(head) + "\n\n\\begin{document}\n\n" + body + "\n\n\\end{document}\n"

    def language(self) -> list[str]:
        """Fonts and hyphenation of the document's language; without its patterns words are not hyphenated."""
        own = self.words.latex
        patterns = rf"l@{own['hyphenation']}"
        return [
            rf"\renewcommand{{\rmdefault}}{{{own['family']}}}\renewcommand{{\ttdefault}}{{{own['mono']}}}",
            rf"\expandafter\ifx\csname {patterns}\endcsname\relax\language=255 "
            rf"\else\language=\csname {patterns}\endcsname\fi",
            r"\lefthyphenmin=2 \righthyphenmin=3",
        ]

    def title(self, d: Document) -> str:
        lines = [rf"{{\LARGE\bfseries {self.text(d.title)}\par}}"]
        if d.subtitle:
            lines.append(rf"\vspace{{0.4em}}{{\large {self.text(d.subtitle)}\par}}")
        if d.author:
            lines.append(rf"\vspace{{0.4em}}{{{self.text(d.author)}\par}}")
        out = "\\begin{center}\n" + "\n".join(lines) + "\n\\end{center}"
        if d.contents:
            heading = self.text(self.words("structure.contents"))
            out += f"\n\\renewcommand{{\\contentsname}}{{{heading}}}\\tableofcontents"
        return out

    def footer(self, d: Document) -> list[str]:
        if not d.footer:
            return []
        lines = "\\\\{}\n".join(self.text(line) for line in d.footer)
        inside = f"\\rule{{\\linewidth}}{{0.4pt}}\n\n\\footnotesize\\raggedright {lines}\\par"
        return [f"\\bigskip\\noindent\\begin{{minipage}}{{\\linewidth}}\n{inside}\n\\end{{minipage}}"]

    def heading(self, section: Section, at: Numbered) -> str:
        command = "section" if section.level == 1 else "subsection"
        lead = rf"{at.number}\hspace{{0.7em}}" if at.number else ""
        title = self.text(section.title)
        bookmark = self.bookmark(f"{at.number} {plain(section.title)}".strip())
        entry = rf"\texorpdfstring{{{lead}{title}}}{{{bookmark}}}"
        heading = rf"\{command}*{{\anchor{{{at.anchor}}}{lead}{title}}}"
        return f"{heading}\n\\addcontentsline{{toc}}{{{command}}}{{{entry}}}"

    # ------------------------------------------------------------ blocks

    def section(self, at: Numbered) -> str:
        """With a table right under it, a heading begins the page that the table needs."""
        before = [bare(b) for b in at.block.blocks[:2]]
        table = next((b for b in before if isinstance(b, Table)), None)
        if table is None or not isinstance(before[0], Table | Paragraph):
            return super().section(at)
        return f"{_atleast(table, 9.0)}%\n{super().section(at)}"

    def paragraph(self, content: Text, leads: bool) -> str:
        text = self.text(content)
        return text + r"\par\nopagebreak" if leads else text

    def display(self, rows: Rows, at: Numbered) -> str:
        parts = self.parts(rows)
        out = []
        for k, part in enumerate(parts):
            last = k == len(parts) - 1
            anchor = rf"\anchor{{{at.anchor}}}" if last and at.anchor else ""
            tag = f"[{anchor}{f'({at.number})' if at.number else ''}]" if anchor else ""
            out.append(f"\\display{tag}{{{lines_source(part)}}}")
        return "\n".join(out)

    def note(self, note: Text) -> str:
        return f"\n\\note{{{self.text(note)}}}"

    def step(self, at: Numbered) -> str:
        step: Step = at.block
        mark = rf"\textcolor{{{_colour(step.mark)}}}{{{self.text(step.mark, 9.0)}}}" if step.mark else ""
        head = rf"\step{{{self.plain(at.number, TEXT_EM)}}}{{{self.text(step.rule)}}}{{{mark}}}{{{at.anchor}}}"
        return "\n".join([head, *(f"\\display{{{lines_source(p)}}}" for p in self.parts([(None, step.math)]))])

    def table(self, table: Table, at: Numbered) -> str:
        shares = column_shares(table)
        columns = "".join(
            rf"{a.upper()}{{{share:g}\linewidth}}"
            for a, share in zip(table.align or "l" * len(shares), shares, strict=True)
        )
        end = "\\tabularnewline\n"
        head = self.row(table.header, shares, bold=True)
        rows = "".join(self.row(r, shares) + end for r in table.rows)
        caption = self.caption(at, table.caption)
        return (
            f"{_atleast(table, 4.0)}{caption}\\nopagebreak\n{{\\small\\begin{{longtable}}{{@{{}}{columns}@{{}}}}\n"
            f"\\toprule\n{head}{end}\\midrule\n\\endhead\n\\bottomrule\n\\endfoot\n{rows}\\end{{longtable}}}}"
        )

    def row(self, cells: Iterable[Text], shares: tuple[float, ...], bold: bool = False) -> str:
        out = []
        for cell, share in zip(cells, shares, strict=True):
            inside = self.text(cell, share * TEXT_EM, share=1.0)
            out.append(rf"\textbf{{{inside}}}" if bold else inside)
        return " & ".join(out)

    def caption(self, at: Numbered, text: Text) -> str:
        if not at.word:
            return ""
        word = self.escape(at.word) + ("." if text else "")
        return rf"\anchor{{{at.anchor}}}\captiontext{{{word}}}{{{self.text(text)}}}"

    def figure(self, figure: Figure, at: Numbered) -> str:
        path, wide = self.figures.get(at.anchor, (f"figures/{figure.stem or at.anchor}", 16.0))
        alt = f"% {typographic(figure.alt, self.words.quotes)}\n"
        return (
            f"{alt}\\par\\medskip\\noindent\\begin{{minipage}}{{\\linewidth}}\\centering\n"
            f"\\includegraphics[width={wide:g}cm]{{{path}.pdf}}\n\n\\vspace{{0.4em}}\n"
            f"{self.caption(at, figure.caption)}\n\\end{{minipage}}\\par\\medskip"
        )

    def listing(self, listing: Listing, at: Numbered) -> str:
        code = "\n".join(
            (r"  \ensuremath{\hookrightarrow} " if more else "") + self.verbatim(line)
            for more, line in wrapped(listing.code)
        )
        lead = f"{self.caption(at, listing.caption)}\\nopagebreak\n" if at.word else ""
        return f"{lead}\\begin{{code}}\n{code}\n\\end{{code}}"

    def box(self, box: Box) -> str:
        head = rf"\textbf{{{self.text(box.title)}}}\par{chr(10)}" if box.title else ""
        body = head + self.blocks(box.blocks)
        if any(_breaks_pages(b) for b in box.blocks):
            # A table or a listing cannot stand in a box that TeX keeps on one page.
            return f"\\medskip\\edge{{}}\n{body}\n\n\\edge{{}}\\medskip"
        return f"\\framed{{{body}}}"

    def bullets(self, items: Sequence[Text], ordered: bool) -> str:
        name = "enumerate" if ordered else "itemize"
        lines = "\n".join(rf"\item{{}} {self.text(i)}" for i in items)
        return f"\\begin{{{name}}}\\setlength{{\\itemsep}}{{0.2em}}\n{lines}\n\\end{{{name}}}"

    def sources(self, entries: Sequence[tuple[Target, Text]]) -> str:
        return "\n\n".join(
            rf"\noindent\anchor{{{at.anchor}}}\makebox[2.2em][l]{{{self.escape(at.text)}}}"
            rf"\begin{{minipage}}[t]{{\dimexpr\linewidth-2.2em\relax}}\raggedright {self.text(text)}\end{{minipage}}"
            for at, text in entries
        )

    # ------------------------------------------------------------ inside a line

    def escape(self, text: str) -> str:
        return escape(text, self.encoding)

    def plain(self, text: str, room: float) -> str:
        return self.joined(pieces(printable(typographic(text, self.words.quotes)), room))

    def joined(self, parts: Iterable[str]) -> str:
        return r"\allowbreak{}".join(map(self.escape, parts))

    def formula(self, math: pr.Math, tall: bool) -> str:
        return rf"\roomy{{${formula_source(math)}$}}" if tall else f"${formula_source(math)}$"

    def inset(self, lines: fit.Display, math: pr.Math) -> str:
        return f"\n\\display{{{lines_source(lines)}}}\\noindent\n"

    def broken(self, lines: fit.Display, math: pr.Math) -> str:
        return rf"\fitted{{\linewidth}}{{{lines_source(lines, 't')}}}"

    def bold(self, inside: str) -> str:
        return rf"\textbf{{{inside}}}"

    def emph(self, inside: str) -> str:
        return rf"\emph{{{inside}}}"

    def code(self, text: str, room: float) -> str:
        return rf"\texttt{{{self.joined(pieces(printable(composed(text)).replace(chr(10), ' '), room, 12))}}}"

    def link(self, target: Target) -> str:
        return rf"\hyperlink{{{target.anchor}}}{{\textcolor{{rule}}{{{self.escape(target.text)}}}}}"

    def bookmark(self, text: str) -> str:
        """Text for the PDF's outline and title: no commands, only characters."""
        commands = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
        shown = printable(typographic(text, self.words.quotes))
        return "".join(rf"\{c}" if c in "{}$&#%_" else commands.get(c, c) for c in shown)

    def verbatim(self, line: str) -> str:
        """A line of code inside Verbatim, where only backslash and braces are special."""
        out = []
        for c in printable(composed(line)):
            if c in "\\{}":
                out.append({"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}"}[c])
            elif c in "'`":
                out.append(_SPECIAL[c])
            else:
                out.append(self.escape(c) if not c.isascii() else c)
        return "".join(out)


def _atleast(table: Table, more: float) -> str:
    """A new page where a table, and more lines, would not stand on this one."""
    return f"\\atleast{{{more + 1.3 * table_lines(table, column_shares(table)):g}\\baselineskip}}"


def _breaks_pages(block: Any) -> bool:
    inner = bare(block)
    if isinstance(inner, Equation | Aligned):
        rows = [(None, inner.math)] if isinstance(inner, Equation) else inner.rows
        return fit.display(rows, DISPLAY_EM).height > 20
    return isinstance(inner, Table | Listing | Steps | References)


def _colour(mark: str) -> str:
    return "good" if mark.startswith("✓") else "bad" if mark.startswith("✗") else "plain"


# ---------------------------------------------------------------- displays


def formula_source(math: pr.Math) -> str:
    """A formula as LaTeX, for a place in math mode."""
    source = _greek(pr.latex(math))
    # Only the rows of a matrix end in this way; they need room for fractions.
    source = source.replace(r" \\ ", r" \\[0.6em] " if r"\frac" in source else r" \\[0.25em] ")
    # As delimiters, not as inner formulas: without the space that TeX puts around those.
    source = re.sub(r"\\left(?![a-zA-Z])", r"\\mathopen{}\\left", source)
    return re.sub(r"(\\right(?:[)\]|]|\\\|))(?!\s*[_^])", r"\1\\mathclose{}", source)


def _greek(source: str) -> str:
    """Unicode letters in a formula, such as the σ of an upright hardσ, as commands."""
    return "".join(c if c.isascii() else LATEX.get(c, "?") for c in source)


def lines_source(shown: fit.Display, place: str = "c") -> str:
    """A display as LaTeX: its lines, aligned."""
    two = any(left for left, _ in shown.rows) or shown.shadow is not None
    if len(shown.rows) == 1 and not two:
        return _line(shown.rows[0][1])
    rows = []
    for k, (left, right) in enumerate(shown.rows):
        lead = _line(left) if left else ""
        if k == 0 and shown.shadow is not None:
            lead = rf"\beneath{{{_line(shown.shadow)}}}{{{lead}}}"
        rows.append(f"{lead} & {_line(right)}")
    return f"\\begin{{aligned}}[{place}]\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def _line(line: fit.Line) -> str:
    out = [rf"\hspace{{{line.indent:g}em}}"] if line.indent else []
    for k, piece in enumerate(line.pieces):
        out.append(_piece(piece, first=k == 0))
    return " ".join(out)


def _piece(piece: fit.Piece, first: bool) -> str:
    match piece:
        case fit.Sign(name):
            return ("{} " if first else "") + SIGNS[name].latex
        case fit.Delimiter():
            glyph = "\\|" if piece.glyph == "‖" else piece.glyph
            size = "big" if piece.height < 1.9 else "Big" if piece.height < 2.8 else "bigg"
            sub = f"_{{{formula_source(piece.sub)}}}" if piece.sub else ""
            sup = f"^{{{formula_source(piece.sup)}}}" if piece.sup else ""
            return rf"\{size}{'l' if piece.opening else 'r'}{glyph}{sub}{sup}"
        case pr.Math():
            return formula_source(piece)
