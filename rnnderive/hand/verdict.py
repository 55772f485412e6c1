"""The verdict on a hand derivation, and its story in words, HTML, LaTeX and plain data."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnderive.hand.diagnosis import Diagnosis
from rnnderive.printing import Told

__all__ = ["SHOWN", "ArrayVerdict", "Correction", "Counterexample", "Verdict", "runs"]

NOTES = 6  # that are printed; the others are in `notes`
SHOWN = 4  # wrong entries that are listed


@dataclass(frozen=True)
class ArrayVerdict:
    """One gradient.

    Attributes
    ----------
    name : str
    ok : bool or None
        None where there is nothing to hold it against; `note` says why.
    error : float
        The largest difference, relative to the largest entry expected.
    wrong : tuple of index
        The entries that are wrong.
    count : int
        How many entries there are.
    steps : tuple of int
        The steps whose contribution is wrong, as far as the numbers tell.
    note : str
    label : str
        What it is called in the table; ``dW`` for the gradient of W unless given.
    """

    name: str
    ok: bool | None
    error: float = 0.0
    wrong: tuple[tuple[int, ...], ...] = ()
    count: int = 0
    steps: tuple[int, ...] = ()
    note: str = ""
    label: str = ""

    def __bool__(self) -> bool:
        return self.ok is not False

    def to_json(self) -> dict[str, Any]:
        """The entry as plain data."""
        error = self.error if np.isfinite(self.error) else None
        wrong = [list(w) for w in self.wrong]
        return {"ok": self.ok, "error": error, "wrong": wrong, "count": self.count, "steps": list(self.steps),
                "note": self.note}  # fmt: skip

    def cells(self) -> tuple[str, ...]:
        """The row of a table."""
        word = {True: "right", False: "WRONG", None: "not checked"}[self.ok]
        error = "" if not np.isfinite(self.error) else "0" if self.error == 0 else f"{self.error:.1e}"
        label = self.label or f"d{self.name}"
        if self.ok is not False:
            return label, word, error if self.ok else "", "", "", self.note
        entries = "" if not self.wrong else "all entries" if len(self.wrong) == self.count else _entries(self.wrong)
        return label, word, error, entries, _steps(self.steps), self.note


def _plural(n: int, word: str) -> str:
    return f"{n} {word if n == 1 else word[:-1] + 'ies' if word.endswith('y') else word + 's'}"


def _entries(wrong: tuple[tuple[int, ...], ...]) -> str:
    shown = ", ".join(str(list(w)) for w in wrong[:SHOWN])
    return f"{len(wrong)} entries: {shown}{', …' if len(wrong) > SHOWN else ''}" if len(wrong) > 1 else f"entry {shown}"


def _steps(steps: tuple[int, ...]) -> str:
    """Steps in words."""
    return f"step{'s' * (len(steps) > 1)} {runs(steps)}" if steps else ""


def runs(steps: tuple[int, ...]) -> str:
    """Steps, runs of them as ranges.

    Examples
    --------
    >>> runs((1, 3, 4, 5))
    '1, 3–5'
    """
    found: list[list[int]] = []
    for step in steps:
        if found and step == found[-1][-1] + 1:
            found[-1].append(step)
        else:
            found.append([step])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in found)


@dataclass(frozen=True)
class Correction:
    """An equation as it was handed over, or as the diagnosis found it to be, beside the correct one.

    Attributes
    ----------
    where : str
    wrong, right : str
        In the language.
    wrong_latex, right_latex : str
    """

    where: str
    wrong: str
    right: str
    wrong_latex: str
    right_latex: str


@dataclass(frozen=True)
class Counterexample:
    """The smallest case that still shows that a derivation is wrong.

    Attributes
    ----------
    sizes : mapping
        ``T``, ``B`` (where there is a batch) and the sizes of the network, by name.
    name : str
    index : tuple of int
        The entry of the gradient of `name`.
    found, expected : float
    params, inputs : mapping
        The arrays.
    """

    sizes: Mapping[str, int]
    name: str
    index: tuple[int, ...]
    found: float
    expected: float
    params: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    inputs: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __str__(self) -> str:
        sizes = ", ".join(f"{k} = {v}" for k, v in self.sizes.items())
        place = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        found, expected = (f"{v:{form}}" for v, form in self.shown)
        return f"with {sizes}: d{self.name}{place} is {found}; it should be {expected}"

    @property
    def shown(self) -> tuple[tuple[float, str], tuple[float, str]]:
        """What was found and what was expected, each with its format: so many digits, six at least, that two differ.

        Examples
        --------
        >>> print(Counterexample({"T": 1}, "W", (0, 0), -0.1335, -0.133533))
        with T = 1: dW[0, 0] is -0.133500; it should be -0.133533
        >>> print(Counterexample({"T": 1}, "W", (0, 0), 2.0, 2.00000123))
        with T = 1: dW[0, 0] is 2; it should be 2.00000123
        """
        apart = abs(self.found - self.expected) / max(abs(self.found), abs(self.expected), 1e-300)
        digits = min(17, max(6, 2 - math.floor(math.log10(apart)))) if 0 < apart < math.inf else 6
        found, expected = (
            (v, f".{digits}g" if v.is_integer() else f"#.{digits}g") for v in (float(self.found), float(self.expected))
        )
        return found, expected


@dataclass(frozen=True)
class Verdict(Told):
    """What is right and wrong about a hand derivation; truthy when it is right.

    Attributes
    ----------
    ok : bool
        The declared cell's gradient was handed over, all of it right.
    backward_ok : bool or None
        Whether the backward matches its own forward.
    forward_ok : bool or None
        Whether the forward matches the declared cell; None where no forward was handed over.
    arrays : mapping
        Name → :class:`ArrayVerdict`.
    inner : mapping
        The same for quantities of the adjoint that were handed over, from the loss backward.
    diagnosis : Diagnosis
        A sequence of mistakes with `kind`, `text`, `where`.
    corrections : tuple of Correction
    counterexample : Counterexample or None
    problems : tuple of str
        What went wrong while asking: crashes, wrong shapes, arguments changed.
    notes : tuple of str
        What there is to know besides: gradients that were not handed over, how the forward differs.
    method : str
        How it was decided.
    """

    ok: bool
    backward_ok: bool | None
    forward_ok: bool | None
    arrays: Mapping[str, ArrayVerdict]
    inner: Mapping[str, ArrayVerdict] = field(default_factory=dict)
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    corrections: tuple[Correction, ...] = ()
    counterexample: Counterexample | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    method: str = ""

    def __bool__(self) -> bool:
        return self.ok

    @property
    def wrong(self) -> tuple[str, ...]:
        """The names of the gradients that are wrong."""
        return tuple(n for n, a in (self.arrays or self.inner).items() if a.ok is False)

    # ------------------------------------------------------------ in words

    @property
    def headline(self) -> str:
        """The verdict in a line."""
        what = "gradient" if self.arrays else "quantity"
        if self.ok:
            return f"RIGHT: {_plural(len(self.rows), what)}, all as the calculus gives them"
        if self.forward_ok is False and self.backward_ok:
            return "NOT THIS CELL: the gradients are right for a forward that is not the declared cell's"
        if self.wrong:
            return f"WRONG: {len(self.wrong)} of {_plural(len(self.arrays or self.inner), what)}"
        if self.forward_ok is False:
            return "NOT THIS CELL: the forward is not the declared cell's"
        return "WRONG: " + (self.problems[0] if self.problems else "no gradient was handed over")

    @property
    def answers(self) -> tuple[str, str]:
        """The two facts: about the backward and its own forward, and about the forward and the cell."""
        whose = "its own forward" if self.forward_ok is not None else "the declared cell's forward"
        backward = {
            True: f"The backward matches {whose}.",
            False: f"The backward does not match {whose}.",
            None: "The backward was not held against a forward of its own.",
        }[self.backward_ok]
        forward = {
            True: "The forward matches the declared cell.",
            False: "The forward does not match the declared cell.",
            None: "No forward was handed over; the gradients are held against the declared cell.",
        }[self.forward_ok]
        if self.backward_ok and self.forward_ok is False:
            forward += (
                " The backward is right for the forward that it belongs to: change one, and the other must follow."
            )
        return backward, forward

    @property
    def rows(self) -> tuple[ArrayVerdict, ...]:
        """What the table shows: gradients; intermediate quantities where they are all there is."""
        return tuple((self.arrays or self.inner).values())

    def __str__(self) -> str:
        lines = [self.headline]
        lines += [f"  {p}" for p in self.problems if not self.headline.endswith(p)]
        lines += [f"{k}. {words}" for k, words in enumerate(self.answers, 1)]
        lines.append(f"3. Gradients{', ' * bool(self.method)}{self.method}:" if self.rows else "3. Gradients: none.")
        lines += [f"   {line}" for line in _table([a.cells() for a in self.rows])]
        if self.diagnosis.first:
            lines.append(
                f"   From the loss backward, {self.diagnosis.first} is the first whose equation does not hold."
            )
        lines += [f"   {n}" for n in self.notes[:NOTES]]
        if len(self.notes) > NOTES:
            lines.append(f"   … and {len(self.notes) - NOTES} more notes")
        if not self.ok and (self.diagnosis.mistakes or not self.diagnosis.explained):
            lines.append(f"4. Diagnosis: {self._said()}")
            for c in self.corrections:
                lines += [f"   wrong:   {c.wrong}", f"   correct: {c.right}"]
        if self.counterexample is not None:
            lines.append(f"5. Smallest case that shows it, {self.counterexample}")
        return "\n".join(lines)

    def _said(self) -> str:
        if len(self.diagnosis) < 2:
            return str(self.diagnosis)
        texts = "".join(f"\n   ({k}) {m.text}" for k, m in enumerate(self.diagnosis, 1))
        return f"{len(self.diagnosis)} mistakes, which together give all the numbers handed over:{texts}"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr>{''.join(f'<td>{html.escape(w)}</td>' for w in a.cells())}</tr>" for a in self.rows)
        head = "".join(f"<th>{w}</th>" for w in ("gradient", "", "largest error", "entries", "contributions", "note"))
        parts = [f"<p><b>{html.escape(self.headline)}</b></p>"]
        parts.append(f"<p>{' '.join(html.escape(w) for w in (*self.problems, *self.answers, *self.notes))}</p>")
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
        if not self.ok and (self.diagnosis.mistakes or not self.diagnosis.explained):
            texts = [m.text for m in self.diagnosis] or [str(self.diagnosis)]
            parts.append(f"<ul>{''.join(f'<li>{html.escape(x)}</li>' for x in texts)}</ul>")
            parts += [f"<p>$${c.wrong_latex}$$ should be $${c.right_latex}$$</p>" for c in self.corrections]
        if self.counterexample is not None:
            parts.append(f"<p>Smallest case that shows it, {html.escape(str(self.counterexample))}</p>")
        return "".join(parts)

    def latex(self) -> str:
        """The verdict's formulas: every wrong equation beside the correct one."""
        rows = [rf"\text{{{_escape(self.headline)}}}"]
        for m in self.diagnosis:
            rows.append(rf"\text{{{_escape(m.text)}}}")
        for c in self.corrections:
            rows += [rf"\text{{wrong: }} & {c.wrong_latex}", rf"\text{{correct: }} & {c.right_latex}"]
        lines = [r if "&" in r else f"& {r}" for r in rows]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain data, ready for :func:`json.dumps`."""
        return {
            "ok": self.ok,
            "backward_ok": self.backward_ok,
            "forward_ok": self.forward_ok,
            "method": self.method,
            "arrays": {n: a.to_json() for n, a in self.arrays.items()},
            "inner": {n: a.to_json() for n, a in self.inner.items()},
            "explained": self.diagnosis.explained,
            "first": self.diagnosis.first,
            "diagnosis": [{"kind": m.kind, "text": m.text, "where": m.where} for m in self.diagnosis],
            "corrections": [vars(c) for c in self.corrections],
            "counterexample": self._counterexample(),
            "problems": list(self.problems),
            "notes": list(self.notes),
        }

    def _counterexample(self) -> dict[str, Any] | None:
        c = self.counterexample
        if c is None:
            return None
        arrays = {n: np.asarray(a).tolist() for n, a in {**c.params, **c.inputs}.items()}
        number = {k: v if np.isfinite(v) else None for k, v in (("found", c.found), ("expected", c.expected))}
        return {"sizes": dict(c.sizes), "name": c.name, "index": list(c.index), **number, "arrays": arrays}


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max((len(r[k]) for r in rows), default=0) for k in range(6)]
    return ["  ".join(w.ljust(n) for w, n in zip(r, widths, strict=True)).rstrip() for r in rows]


def _escape(words: str) -> str:
    for a, b in (("\\", r"\textbackslash "), ("_", r"\_"), ("^", r"\^{}"), ("&", r"\&"), ("%", r"\%"), ("#", r"\#")):
        words = words.replace(a, b)
    return words
