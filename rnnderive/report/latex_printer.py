"""A document as LaTeX source, for pdfLaTeX with Debian's texlive-latex-recommended."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from rnnderive import printing as pr
from rnnderive.printing.notation import SIGNS
from rnnderive.report import fit
from rnnderive.report.characters import LATEX, clean, is_cyrillic, pieces
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

__all__ = ["CYRILLIC_FILES", "FILES", "escape", "latex_source"]

FILES = (
    "article.cls", "fontenc.sty", "inputenc.sty", "lmodern.sty", "geometry.sty", "microtype.sty", "amsmath.sty",
    "amssymb.sty", "graphicx.sty", "array.sty", "longtable.sty", "booktabs.sty", "xcolor.sty", "fancyvrb.sty",
    "hyperref.sty", "lmr10.pfb", "lmmi10.pfb", "ec-lmr10.tfm", "msam10.pfb", "pdftex.def",
)  # fmt: skip
CYRILLIC_FILES = ("t2aenc.def", "t2acmr.fd", "sfrm1095.pfb")

_PREAMBLE = r"""
\documentclass[11pt,a4paper]{article}
\usepackage[ENCODINGS]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{lmodern}
\usepackage[a4paper,hmargin=2.5cm,top=2.5cm,bottom=2.7cm]{geometry}
\usepackage{microtype}
\usepackage{amsmath,amssymb}
\setcounter{MaxMatrixCols}{99}
\usepackage{graphicx}
\usepackage{array,longtable,booktabs}
\usepackage{xcolor}
\usepackage{fancyvrb}
\usepackage[hidelinks,unicode,bookmarksnumbered=false]{hyperref}
\ifdefined\pdftrailerid\pdftrailerid{}\fi
\ifdefined\pdfsuppressptexinfo\pdfsuppressptexinfo=-1\fi
\definecolor{rule}{HTML}{1F4E79}
\definecolor{good}{HTML}{00664F}
\definecolor{bad}{HTML}{B03A00}
\definecolor{plain}{HTML}{444444}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.55em plus 0.15em minus 0.05em}
\setlength{\emergencystretch}{0.5\textwidth}
\setlength{\LTpre}{0.3em}
\setlength{\LTpost}{0.6em}
\setlength{\tabcolsep}{0.45em}
\setcounter{tocdepth}{2}
\setlength{\jot}{0.4em}
\hbadness=10000
\vbadness=10000
% Sets a formula at its own size, or smaller where it would leave the line or the page.
\newsavebox{\fitbox}
\newlength{\fitwidth}
\newcommand{\fitted}[2]{%
  \setlength{\fitwidth}{#1}%
  \sbox{\fitbox}{$\displaystyle #2$}%
  \ifdim\dimexpr\ht\fitbox+\dp\fitbox\relax>0.93\textheight
    \sbox{\fitbox}{\resizebox{!}{0.93\textheight}{\usebox{\fitbox}}}\fi
  \ifdim\wd\fitbox>\fitwidth\resizebox{\fitwidth}{!}{\usebox{\fitbox}}\else\usebox{\fitbox}\fi}
% A display with its number, broken over pages only between two of them.
\newcommand{\display}[2][]{\par\addvspace{0.45em}\noindent\hspace*{1.6em}%
  \fitted{\dimexpr\linewidth-5em\relax}{#2}\hfill\mbox{#1}\par\addvspace{0.45em}}
% Space above and below a formula higher than its line.
\newcommand{\roomy}[1]{\raisebox{0pt}[\dimexpr\height+0.25em\relax][\dimexpr\depth+0.25em\relax]{#1}}
% Begins a page where less than this is left of the old one.
\newcommand{\atleast}[1]{\par\ifdim\pagetotal>0pt\ifdim\dimexpr\pagegoal-\pagetotal\relax<#1\newpage\fi\fi}
\newcommand{\anchor}[1]{\hypertarget{#1}{}}
\newcommand{\note}[1]{\par\hspace*{1.6em}\begin{minipage}{\dimexpr\linewidth-1.6em\relax}\small\color{plain}#1\end{minipage}\par}
\newcommand{\step}[4]{\par\addvspace{0.6em}\noindent\begin{minipage}[t]{1.8em}\textbf{#1}\anchor{#4}\end{minipage}%
  \begin{minipage}[t]{\dimexpr\linewidth-1.8em-\stepmark\relax}\emph{#2}\end{minipage}%
  \begin{minipage}[t]{\stepmark}\raggedleft\small #3\end{minipage}\par\nopagebreak\vspace{-0.3em}}
\newlength{\stepmark}
\setlength{\stepmark}{9em}
\newcommand{\captiontext}[2]{{\centering\begin{minipage}{0.92\linewidth}%
  \centering\small\textbf{#1} #2\end{minipage}\par}}
\newcommand{\framed}[1]{\par\medskip\noindent{\setlength{\fboxsep}{0.8em}\fcolorbox{rule}{rule!5}{%
  \begin{minipage}{\dimexpr\linewidth-2\fboxsep-2\fboxrule\relax}\setlength{\parskip}{0.55em}#1%
  \end{minipage}}}\par\medskip}
\newcommand{\edge}{\par\nopagebreak\noindent{\color{rule}\rule{\linewidth}{0.8pt}}\par\nopagebreak}
\newcolumntype{L}[1]{>{\raggedright\arraybackslash}p{#1}}
\newcolumntype{C}[1]{>{\centering\arraybackslash}p{#1}}
\newcolumntype{R}[1]{>{\raggedleft\arraybackslash}p{#1}}
\DefineVerbatimEnvironment{code}{Verbatim}{fontsize=\footnotesize,frame=leftline,framesep=0.7em,rulecolor=\color{black!25},commandchars=\\\{\}}
"""


def latex_source(document: Document | Manuscript, figures: Mapping[str, tuple[str, float]] | None = None) -> str:
    """Return a document as LaTeX source.

    Parameters
    ----------
    document : Document or Manuscript
        What to print; a document is numbered first.
    figures : mapping, optional
        File and width (cm) of every figure, by its anchor; ``figures/figure-1`` and 16 cm unless
        given.  The file is named without its suffix, which is ``.pdf`` here.
    """
    manuscript = number(document) if isinstance(document, Document) else document
    return _Printer(manuscript, figures or {}).document()


_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "'": r"\textquotesingle{}", "`": r"\textasciigrave{}",
}  # fmt: skip


def escape(text: str) -> str:
    r"""Return text as LaTeX that shows it letter by letter.

    Examples
    --------
    >>> escape("50% of $x_1$")
    '50\\% of \\$x\\_1\\$'
    """
    out = []
    for cyrillic, run in itertools.groupby(text, is_cyrillic):
        shown = "".join(run)
        if cyrillic:
            out.append(rf"\cyr{{{shown}}}")
            continue
        shown = "".join(c if c in "–—" else _SPECIAL.get(c) or LATEX.get(c, c) for c in shown)
        # Pairs that a font would join: -- and ,, and !` and <<.
        shown = re.sub(r"([-,!?])(?=[-,`])", r"\1{}", shown)
        out.append(shown.replace("–", "--").replace("—", "---"))
    return "".join(out)


class _Printer:
    def __init__(self, manuscript: Manuscript, figures: Mapping[str, tuple[str, float]]) -> None:
        self.manuscript, self.figures = manuscript, figures

    # ------------------------------------------------------------ document

    def document(self) -> str:
        d = self.manuscript.document
        body = "\n\n".join([self.title(d), *map(self.section, self.manuscript.sections), *self.footer(d)])
        cyrillic = r"\cyr" in body
        head = _PREAMBLE.strip().replace("ENCODINGS", "T2A,T1" if cyrillic else "T1")
        if cyrillic:
            head += "\n" + r"\newcommand{\cyr}[1]{{\fontencoding{T2A}\fontfamily{cmr}\selectfont #1}}"
            head += "\n" + r"\pdfstringdefDisableCommands{\def\cyr#1{#1}}"
        title, author = escape_bookmark(plain(d.title)), escape_bookmark(d.author)
        head += "\n" + rf"\hypersetup{{pdftitle={{{title}}},pdfauthor={{{author}}}}}"
        return head + "\n\n\\begin{document}\n\n" + body + "\n\n\\end{document}\n"

    def title(self, d: Document) -> str:
        lines = [rf"{{\LARGE\bfseries {self.text(d.title)}\par}}"]
        if d.subtitle:
            lines.append(rf"\vspace{{0.4em}}{{\large {self.text(d.subtitle)}\par}}")
        if d.author:
            lines.append(rf"\vspace{{0.4em}}{{{self.text(d.author)}\par}}")
        out = "\\begin{center}\n" + "\n".join(lines) + "\n\\end{center}"
        if d.contents:
            heading = self.text(self.manuscript.words("structure.contents"))
            out += f"\n\\renewcommand{{\\contentsname}}{{{heading}}}\\tableofcontents"
        return out

    def footer(self, d: Document) -> list[str]:
        if not d.footer:
            return []
        lines = "\\\\{}\n".join(self.text(line) for line in d.footer)
        return [f"\\bigskip\\noindent\\rule{{\\linewidth}}{{0.4pt}}\n\n{{\\footnotesize\\raggedright {lines}\\par}}"]

    def section(self, s: Numbered) -> str:
        section: Section = s.block
        command = "section" if section.level == 1 else "subsection"
        lead = rf"{s.number}\hspace{{0.7em}}" if s.number else ""
        title = self.text(section.title)
        bookmark = escape_bookmark(f"{s.number} {plain(section.title)}".strip())
        entry = rf"\texorpdfstring{{{lead}{title}}}{{{bookmark}}}"
        heading = rf"\{command}*{{\anchor{{{s.anchor}}}{lead}{title}}}"
        heading += f"\n\\addcontentsline{{toc}}{{{command}}}{{{entry}}}"
        return "\n\n".join([heading, *map(self.block, section.blocks)])

    # ------------------------------------------------------------ blocks

    def block(self, block: Any, boxed: bool = False) -> str:
        numbered = block if isinstance(block, Numbered) else Numbered(block, "", "")
        match numbered.block:
            case Paragraph(content):
                return self.text(content)
            case Equation(math, _, note):
                return self.display([(None, math)], numbered) + self.note(note)
            case Aligned(rows, _, note):
                return self.display(rows, numbered) + self.note(note)
            case Steps(steps):
                return "\n\n".join(self.step(s) for s in steps)
            case Table() as table:
                return self.table(table, numbered)
            case Figure() as figure:
                return self.figure(figure, numbered)
            case Listing() as listing:
                return self.listing(listing, numbered)
            case Box() as box:
                return self.box(box)
            case Bullets(items, ordered):
                return self.bullets(items, ordered)
            case References(entries):
                return "\n\n".join(self.source(self.manuscript.source(k), v) for k, v in entries.items())
        raise TypeError(f"no LaTeX for {type(block).__name__}")

    def display(self, rows: Iterable[tuple[pr.Math | None, pr.Math]], at: Numbered) -> str:
        parts = fit.pages(fit.display(rows, DISPLAY_EM))
        out = []
        for k, part in enumerate(parts):
            last = k == len(parts) - 1
            anchor = rf"\anchor{{{at.anchor}}}" if last and at.anchor else ""
            tag = f"[{anchor}{f'({at.number})' if at.number else ''}]" if anchor else ""
            out.append(f"\\display{tag}{{{_display(part)}}}")
        return "\n".join(out)

    def note(self, note: Text | None) -> str:
        return f"\n\\note{{{self.text(note)}}}" if note else ""

    def step(self, s: Step | Numbered) -> str:
        assert isinstance(s, Numbered)
        step: Step = s.block
        mark = rf"\textcolor{{{_colour(step.mark)}}}{{{self.text(step.mark, 9.0)}}}" if step.mark else ""
        head = rf"\step{{{escape(clean(s.number))}}}{{{self.text(step.rule)}}}{{{mark}}}{{{s.anchor}}}"
        parts = fit.pages(fit.display([(None, step.math)], DISPLAY_EM))
        return "\n".join([head, *(f"\\display{{{_display(p)}}}" for p in parts)])

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
            f"\\atleast{{9\\baselineskip}}{caption}\\nopagebreak\n{{\\small\\begin{{longtable}}{{@{{}}{columns}@{{}}}}\n"
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
        end = "." if text else ""
        return rf"\anchor{{{at.anchor}}}\captiontext{{{escape(at.word)}{end}}}{{{self.text(text)}}}"

    def figure(self, figure: Figure, at: Numbered) -> str:
        path, wide = self.figures.get(at.anchor, (f"figures/{figure.stem or at.anchor}", 16.0))
        alt = "".join(f"% {line}\n" for line in clean(figure.alt).split("\n"))
        return (
            f"{alt}\\par\\medskip\\noindent\\begin{{minipage}}{{\\linewidth}}\\centering\n"
            f"\\includegraphics[width={wide:g}cm]{{{path}.pdf}}\n\n\\vspace{{0.4em}}\n"
            f"{self.caption(at, figure.caption)}\n\\end{{minipage}}\\par\\medskip"
        )

    def listing(self, listing: Listing, at: Numbered) -> str:
        code = "\n".join(
            (r"  \ensuremath{\hookrightarrow} " if more else "") + _verbatim(line)
            for more, line in wrapped(listing.code)
        )
        lead = f"{self.caption(at, listing.caption)}\\nopagebreak\n" if at.word else ""
        return f"{lead}\\begin{{code}}\n{code}\n\\end{{code}}"

    def box(self, box: Box) -> str:
        head = rf"\textbf{{{self.text(box.title)}}}\par{chr(10)}" if box.title else ""
        body = head + "\n\n".join(self.block(b) for b in box.blocks)
        if any(_breaks_pages(b) for b in box.blocks):
            # A table or a listing cannot stand in a box that TeX keeps on one page.
            return _ruled(body)
        return f"\\framed{{{body}}}"

    def bullets(self, items: Iterable[Text], ordered: bool) -> str:
        name = "enumerate" if ordered else "itemize"
        lines = "\n".join(rf"\item{{}} {self.text(i)}" for i in items)
        return f"\\begin{{{name}}}\\setlength{{\\itemsep}}{{0.2em}}\n{lines}\n\\end{{{name}}}"

    def source(self, at: Target, text: Text) -> str:
        return (
            rf"\noindent\anchor{{{at.anchor}}}\makebox[2.2em][l]{{{escape(at.text)}}}"
            rf"\begin{{minipage}}[t]{{\dimexpr\linewidth-2.2em\relax}}\raggedright {self.text(text)}\end{{minipage}}"
        )

    # ------------------------------------------------------------ inside a line

    def text(self, text: Text, room: float = TEXT_EM, share: float = INLINE_SHARE) -> str:
        return "".join(self.inline(i, room, share) for i in inlines(text))

    def inline(self, item: Inline, room: float, share: float) -> str:
        match item:
            case str():
                return _joined(pieces(clean(item), room))
            case Formula(math):
                return self.formula(math, room, share)
            case Bold(content):
                return rf"\textbf{{{self.text(content, room, share)}}}"
            case Emph(content):
                return rf"\emph{{{self.text(content, room, share)}}}"
            case Code(text):
                shown = pieces(clean(text, True).replace("\n", " "), room, 12)
                return rf"\texttt{{{_joined(shown)}}}"
            case Ref(label):
                return self.link(self.manuscript.target(label))
            case Cite(key):
                return self.link(self.manuscript.source(key))
        raise TypeError(f"no LaTeX for {type(item).__name__}")

    def formula(self, math: pr.Math, room: float, share: float) -> str:
        shown = formula_lines(math, room * share)
        if shown is None:
            tall = share == 1 and fit.height(math) > 1.6
            return rf"\roomy{{${_formula(math)}$}}" if tall else f"${_formula(math)}$"
        if share < 1:
            whole = fit.display([(None, math)], DISPLAY_EM)
            return f"\n\\display{{{_display(whole)}}}\\noindent\n"
        return rf"\fitted{{\linewidth}}{{{_display(shown, 't')}}}"

    def link(self, target: Target) -> str:
        return rf"\hyperlink{{{target.anchor}}}{{\textcolor{{rule}}{{{escape(target.text)}}}}}"


def escape_bookmark(text: str) -> str:
    """Text for the PDF's outline and title: no commands, only characters."""
    commands = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    return "".join(rf"\{c}" if c in "{}$&#%_" else commands.get(c, c) for c in clean(text))


def _joined(parts: Iterable[str]) -> str:
    return r"\allowbreak{}".join(map(escape, parts))


def _verbatim(line: str) -> str:
    """A line of code inside Verbatim, where only backslash and braces are special."""
    out = []
    for c in clean(line, verbatim=True):
        if c in "\\{}":
            out.append({"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}"}[c])
        elif c in "'`":
            out.append(_SPECIAL[c])
        else:
            out.append(rf"\cyr{{{c}}}" if is_cyrillic(c) else LATEX.get(c, c))
    return "".join(out)


def _ruled(body: str) -> str:
    return f"\\medskip\\edge{{}}\n{body}\n\n\\edge{{}}\\medskip"


def _breaks_pages(block: Any) -> bool:
    inner = block.block if isinstance(block, Numbered) else block
    if isinstance(inner, Equation | Aligned):
        rows = [(None, inner.math)] if isinstance(inner, Equation) else inner.rows
        return fit.display(rows, DISPLAY_EM).height > 20
    return isinstance(inner, Table | Listing | Steps | References)


def _colour(mark: str) -> str:
    return "good" if mark.startswith("✓") else "bad" if mark.startswith("✗") else "plain"


# ---------------------------------------------------------------- displays


def _formula(math: pr.Math) -> str:
    # Only the rows of a matrix end in this way; they need room for fractions.
    source = _greek(pr.latex(math)).replace(r" \\ ", r" \\[0.25em] ")
    # As delimiters, not as inner formulas: without the space that TeX puts around those.
    source = re.sub(r"\\left(?![a-zA-Z])", r"\\mathopen{}\\left", source)
    return re.sub(r"(\\right(?:[)\]|]|\\\|))(?!\s*[_^])", r"\1\\mathclose{}", source)


def _greek(source: str) -> str:
    """Unicode letters in a formula, such as the σ of an upright hardσ, as commands."""
    return "".join(c if c.isascii() else LATEX.get(c, "?") for c in source)


def _display(shown: fit.Display, place: str = "c") -> str:
    two = any(left for left, _ in shown.rows) or shown.shadow is not None
    if len(shown.rows) == 1 and not two:
        return _line(shown.rows[0][1])
    rows = []
    for k, (left, right) in enumerate(shown.rows):
        lead = _line(left) if left else ""
        if k == 0 and shown.shadow is not None and not left:
            lead = rf"\hphantom{{{_line(shown.shadow)}}}"
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
            sub = f"_{{{_formula(piece.sub)}}}" if piece.sub else ""
            sup = f"^{{{_formula(piece.sup)}}}" if piece.sup else ""
            return rf"\{size}{'l' if piece.opening else 'r'}{glyph}{sub}{sup}"
        case pr.Math():
            return _formula(piece)
