"""What the chains report measures and how, in formulas."""

from __future__ import annotations

from rnnderive import printing as pr
from rnnderive.report import document as doc
from rnnderive.report.languages import Words

__all__ = ["methods"]


def methods(words: Words) -> doc.Section:
    """The product, its norm, the bound on it, and its exponents."""
    h, L, T, k = (pr.Letter(v) for v in "hLTk")
    p = pr.Script(pr.Letter("P"), pr.Row((T, pr.Symbol(","), k)))
    j = pr.Letter("J")
    one = pr.Numeral("1")
    t_before = pr.Infix(("", "-"), (pr.Letter("t"), one), pr.SUM)
    factor = pr.derivative(pr.with_index(h, pr.Letter("t")), pr.with_index(h, t_before), "partial")
    after = pr.Script(j, pr.Infix(("", "+"), (k, one), pr.SUM))
    chain = pr.Row((pr.Script(j, T), pr.Symbol("dots"), after))
    norm = pr.Script(pr.Fenced(p, "‖"), pr.Numeral("2"))
    s1 = pr.Script(pr.Letter("s"), one)
    bound = pr.Script(pr.Fenced(pr.Row((pr.Letter("gamma"), s1))), None, pr.Infix(("", "-"), (T, k), pr.SUM))
    gradient = pr.derivative(L, pr.with_index(h, T), "partial")
    v = pr.Letter("v")
    log = pr.Row((pr.Word("ln"), pr.Fenced(pr.Row((gradient, p)), "‖")))
    sizes = pr.Big("sum", None, None, pr.Row((pr.Word("ln"), pr.Fenced(v, "‖"))))
    exponent = pr.Script(pr.Letter("lambda"), pr.Letter("i"))
    diagonal = pr.Call(
        pr.Word("ln"), (pr.Script(pr.Letter("R"), pr.Row((pr.Letter("i"), pr.Letter("i"))), pr.Letter("t")),)
    )
    mean = pr.Row((pr.Frac(one, T), pr.Big("sum", pr.Letter("t"), None, diagonal)))
    told = (doc.Paragraph(*words(f"chains.methods_{part}")) for part in ("factor", "norm", "exponents", "table"))
    factors, norms, exponents, table = told
    return doc.Section(
        words("chains.methods_title"),
        [
            factors,
            doc.Aligned([(pr.Script(j, pr.Letter("t")), factor), (p, chain)]),
            norms,
            doc.Equation(pr.Infix(("", "="), (log, sizes), pr.RELATION)),
            doc.Equation(pr.Infix(("", "le"), (norm, bound), pr.RELATION)),
            exponents,
            doc.Equation(pr.Infix(("", "="), (exponent, mean), pr.RELATION)),
            table,
        ],
    )
