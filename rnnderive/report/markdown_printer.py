"""A document as Markdown with the formulas of GitHub and Jupyter: ``$…$`` and ``$$…$$``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rnnderive import printing as pr
from rnnderive.report import fit
from rnnderive.report.characters import composed, typographic
from rnnderive.report.document import Box, Document, Figure, Listing, Numbered, Section, Step, Table, Text
from rnnderive.report.latex_printer import formula_source, lines_source
from rnnderive.report.measures import DISPLAY_EM, INLINE_SHARE, TEXT_EM
from rnnderive.report.numbering import Manuscript, Target
from rnnderive.report.printer import Figures, Printer, Rows

__all__ = ["escape", "markdown_source"]


def markdown_source(document: Document | Manuscript, figures: Figures | None = None) -> str:
    """Return a document as Markdown.

    Parameters
    ----------
    document : Document or Manuscript
        What to print; a document is numbered first.
    figures : mapping, optional
        File and width (cm) of every figure, by its anchor; ``figures/figure-1`` unless given.  The
        file is named without its suffix, which is ``.svg`` here.
    """
    return _Printer(document, figures).document()


def escape(text: str) -> str:
    """Return text as Markdown that shows it letter by letter.

    Examples
    --------
    >>> escape("*a* <b> $x_1$ | #1")
    '\\\\*a\\\\* &lt;b> \\\\$x\\\\_1\\\\$ \\\\| \\\\#1'
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    text = re.sub(r"[\\`*_{}\[\]#$~|!@]", r"\\\g<0>", text).replace("://", "&#58;//")  # no link of itself
    # What begins a list, a rule, a heading, a quotation.
    text = re.sub(r"^(\s*)([-+=>])", r"\1\\\2", text)
    return re.sub(r"^(\s*\d+)([.)])", r"\1\\\2", text)


class _Printer(Printer):
    # ------------------------------------------------------------ document

    def document(self) -> str:
        d = self.manuscript.document
        head = [f"# {self.text(d.title)}"]
        head += [self.text(d.subtitle)] if d.subtitle else []
        head += [self.plain(d.author, 0)] if d.author else []
        head += [self.contents()] if d.contents else []
        footer = ["---", "  \n".join(self.text(line) for line in d.footer)] if d.footer else []
        return "\n\n".join([*head, self.body(), *footer]) + "\n"

    def contents(self) -> str:
        lines = [
            f"{'  ' * (s.block.level - 1)}- [{self.numbered_title(s)}](#{s.anchor})" for s in self.manuscript.sections
        ]
        return "\n".join([f"**{self.text(self.words('structure.contents'))}**\n", *lines])

    def heading(self, section: Section, at: Numbered) -> str:
        return f"{'#' * (section.level + 1)} {_anchor(at)}{self.numbered_title(at)}"

    def numbered_title(self, at: Numbered) -> str:
        return f"{at.number} {self.text(at.block.title)}".lstrip()

    # ------------------------------------------------------------ blocks

    def paragraph(self, content: Text, leads: bool) -> str:
        return re.sub(r"\n{3,}", "\n\n", self.text(content)).strip()

    def display(self, rows: Rows, at: Numbered) -> str:
        tag = rf" \tag{{{at.number}}}" if at.number else ""
        anchor = f"{_anchor(at)}\n\n" if at.number else ""
        return f"{anchor}$$\n{_lines(fit.display(rows, DISPLAY_EM))}{tag}\n$$"

    def note(self, note: Text) -> str:
        return f"\n\n<sub>{self.text(note)}</sub>"

    def step(self, at: Numbered) -> str:
        step: Step = at.block
        mark = f" — {self.text(step.mark)}" if step.mark else ""
        head = f"{_anchor(at)}**{self.plain(at.number, 0)}** {self.emph(self.text(step.rule))}{mark}"
        return f"{head}\n\n{self.display([(None, step.math)], Numbered(step, '', ''))}"

    def table(self, table: Table, at: Numbered) -> str:
        rules = {"l": ":--", "c": ":-:", "r": "--:"}
        rule = "|" + "|".join(rules[a] for a in table.align or "l" * len(table.header)) + "|"
        rows = "\n".join(map(self.row, table.rows))
        return f"{self.named(at, table.caption)}{self.row(table.header)}\n{rule}\n{rows}"

    def row(self, cells: Iterable[Text]) -> str:
        return "| " + " | ".join(self.text(c, share=1.0).replace("\n", " ") for c in cells) + " |"

    def named(self, at: Numbered, caption: Text) -> str:
        if not at.word:
            return ""
        return f"{_anchor(at)}**{escape(at.word)}{'.' if caption else ''}** {self.text(caption)}".rstrip() + "\n\n"

    def figure(self, figure: Figure, at: Numbered) -> str:
        path, _ = self.figures.get(at.anchor, (f"figures/{figure.stem or at.anchor}", 16.0))
        return f"![{self.plain(figure.alt, 0)}]({path}.svg)\n\n{self.named(at, figure.caption)}".rstrip()

    def listing(self, listing: Listing, at: Numbered) -> str:
        code = composed(listing.code.strip("\n"))
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
        return f"{self.named(at, listing.caption)}{fence}{listing.language}\n{code}\n{fence}"

    def box(self, box: Box) -> str:
        head = f"**{self.text(box.title)}**\n\n" if box.title else ""
        return "\n".join(f"> {line}".rstrip() for line in (head + self.blocks(box.blocks)).split("\n"))

    def bullets(self, items: Sequence[Text], ordered: bool) -> str:
        leads = [f"{k}." if ordered else "-" for k in range(1, len(items) + 1)]
        return "\n".join(
            f"{lead} " + self.text(i).strip().replace("\n", "\n" + " " * (len(lead) + 1))
            for lead, i in zip(leads, items, strict=True)
        )

    def sources(self, entries: Sequence[tuple[Target, Text]]) -> str:
        return "\n\n".join(f'<a id="{at.anchor}"></a>{escape(at.text)} {self.text(text)}' for at, text in entries)

    # ------------------------------------------------------------ inside a line

    def text(self, text: Text, room: float = TEXT_EM, share: float = INLINE_SHARE) -> str:
        return re.sub(r"(?<=[^$\n])\$\$(?=[^$\n])", "$ $", super().text(text, room, share))  # two formulas side by side

    def plain(self, text: str, room: float) -> str:
        return escape(typographic(text, self.words.quotes))

    def formula(self, math: pr.Math, tall: bool) -> str:
        return f"${_safe(formula_source(math))}$"

    def inset(self, lines: fit.Display, math: pr.Math) -> str:
        return f"\n\n$$\n{_lines(lines)}\n$$\n\n"

    def broken(self, lines: fit.Display, math: pr.Math) -> str:
        return f"${_lines(lines)}$"

    def bold(self, inside: str) -> str:
        return f"<b>{inside}</b>"

    def emph(self, inside: str) -> str:
        return f"<i>{inside}</i>"

    def code(self, text: str, room: float) -> str:
        return f"<code>{escape(composed(text))}</code>"

    def link(self, target: Target) -> str:
        return f"[{escape(target.text)}](#{target.anchor})"


def _anchor(at: Numbered) -> str:
    return f'<a id="{at.anchor}"></a>' if at.anchor else ""


# ---------------------------------------------------------------- formulas


# What Markdown reads as its own before a formula is set, and how it is said otherwise.
_SAID = [
    (r"\\math(?:open|close)\{\}|(?<=\{aligned\})\[\w\]", ""),
    (r"\\\\(?:\[[^]]*\])?", r"\\cr "), (r"\\\|", r"\\Vert "), (r"\|", r"\\vert "), (r"\\,", r"\\thinspace "),
    (r"<", r"\\lt "), (r">", r"\\gt "), (r"\*", r"\\ast "), (r"\\textcolor\[HTML\]\{(\w{6})\}", r"\\textcolor{#\1}"),
]  # fmt: skip


def _safe(source: str) -> str:
    for pattern, said in _SAID:
        source = re.sub(pattern, said, source)
    return " ".join(source.split())


def _lines(shown: fit.Display) -> str:
    return _safe(lines_source(shown))
