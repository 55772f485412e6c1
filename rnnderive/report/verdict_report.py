"""The document of the verdict on a hand derivation, in a language, from the verdict's fields."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rnnderive.hand.verdict import SHOWN, ArrayVerdict, Counterexample, Verdict, runs
from rnnderive.report import document as doc
from rnnderive.report.languages import Words, load
from rnnderive.report.languages.told import told

__all__ = ["verdict_document"]

METHODS = {"to 1e-9 of each entry": "entries", "in float32": "float32", "by exact identity": "exact"}


def verdict_document(verdict: Verdict, lang: str = "en") -> doc.Document:
    """What is right and wrong, the mistakes, and the smallest case that shows them.

    Parameters
    ----------
    verdict : Verdict
    lang : str
        A language of the catalogue.
    """
    words = load(lang)
    sections = [doc.Section(words("hand.answer_title"), list(_answer(words, verdict)))]
    diagnosis = list(_diagnosis(words, verdict))
    if diagnosis:
        sections.append(doc.Section(words("hand.diagnosis_title"), diagnosis))
    return doc.Document(_headline(words, verdict), sections, lang=lang)


def _headline(words: Words, verdict: Verdict) -> tuple[doc.Inline, ...]:
    """The verdict in a line."""
    kind = "" if verdict.arrays else "_quantities"
    if verdict.ok:
        return words(f"hand.right{kind}", n=len(verdict.rows))
    if verdict.forward_ok is False and verdict.backward_ok:
        return words("hand.other_cell")
    if verdict.wrong:
        return words(f"hand.wrong{kind}", wrong=len(verdict.wrong), n=len(verdict.rows))
    if verdict.forward_ok is False:
        return words("hand.other_forward")
    problem = verdict.problems[0] if verdict.problems else "no gradient was handed over"
    return words("hand.wrong_because", problem=told(words, problem))


def _answer(words: Words, verdict: Verdict) -> Iterator[doc.Block]:
    """The two facts, the table, and what there is to know besides."""
    whose = "cell" if verdict.forward_ok is None else "own"
    right = {True: "right", False: "wrong", None: "none"}
    backward = "unknown" if verdict.backward_ok is None else f"{whose}_{right[verdict.backward_ok]}"
    facts = [f"backward_{backward}", f"forward_{right[verdict.forward_ok]}"]
    facts += ["must_follow"] if verdict.backward_ok and verdict.forward_ok is False else []
    said = [item for k, fact in enumerate(facts) for item in ([" "] if k else []) + [*words(f"hand.{fact}")]]
    yield doc.Paragraph(*said)
    head = [words(f"hand.{k}") for k in ("gradient", "verdict", "error", "entries", "contributions", "note")]
    rows = [_row(words, row) for row in verdict.rows]
    kept = [k for k in range(len(head)) if k < 2 or any(row[k] for row in rows)]
    method = METHODS.get(verdict.method)
    caption = words("hand.caption_method", method=words(f"hand.method_{method}")) if method else words("hand.caption")
    if rows:
        yield doc.Table([head[k] for k in kept], [[row[k] for k in kept] for row in rows], caption)
    if verdict.diagnosis.first:
        yield doc.Paragraph(*words("hand.first", name=doc.Code(verdict.diagnosis.first)))
    if verdict.problems or verdict.notes:
        yield doc.Bullets([told(words, text) for text in (*verdict.problems, *verdict.notes)])


def _row(words: Words, row: ArrayVerdict) -> list[doc.Text]:
    """The row of a table."""
    verdict = words({True: "hand.ok", False: "hand.not_ok", None: "hand.unchecked"}[row.ok])
    error = (
        words.number(row.error, ".1e" if row.error else "g") if row.ok is not None and np.isfinite(row.error) else ""
    )
    entries: doc.Text = ""
    if row.ok is False and row.wrong:
        entries = words("hand.all_entries") if len(row.wrong) == row.count else _entries(words, row)
    steps: doc.Text = ""
    if row.ok is False and row.steps:
        steps = words("hand.steps", n=len(row.steps), shown=runs(row.steps))
    return [row.label or f"d{row.name}", verdict, error, entries, steps, told(words, row.note) if row.note else ""]


def _entries(words: Words, row: ArrayVerdict) -> doc.Text:
    shown = ", ".join(str(list(index)) for index in row.wrong[:SHOWN])
    return words("hand.some_entries", n=len(row.wrong), shown=shown + ", …" * (len(row.wrong) > SHOWN))


def _diagnosis(words: Words, verdict: Verdict) -> Iterator[doc.Block]:
    """The mistakes, each wrong equation beside the correct one, and the smallest case."""
    if verdict.diagnosis.mistakes:
        many = len(verdict.diagnosis) > 1
        yield doc.Paragraph(*words("hand.together" if many else "hand.one"))
        yield doc.Bullets([told(words, m.text) for m in verdict.diagnosis], ordered=many)
    elif not verdict.ok and not verdict.diagnosis.explained:
        yield doc.Paragraph(*words("hand.unexplained"))
    for c in verdict.corrections:
        yield doc.Paragraph(*words("hand.shown_wrong", code=doc.Code(c.wrong)))
        yield doc.Paragraph(*words("hand.shown_right", code=doc.Code(c.right)))
    if verdict.counterexample is not None:
        yield doc.Paragraph(*_smallest(words, verdict.counterexample))


def _smallest(words: Words, case: Counterexample) -> tuple[doc.Inline, ...]:
    place = f"[{', '.join(map(str, case.index))}]" if case.index else ""
    sizes = ", ".join(f"{name} = {size}" for name, size in case.sizes.items())
    name = doc.Code(f"d{case.name}{place}")
    found, expected = (words.number(value, form) for value, form in case.shown)
    return words("hand.counterexample", sizes=sizes, name=name, found=found, expected=expected)
