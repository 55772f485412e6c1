"""Commands of LaTeX, by what the grammar takes them for."""

from rnnderive.printing.notation import GREEK

__all__ = ["ACCENTS", "DOTS", "FUNCTIONS", "PLAIN", "RELATIONS", "STYLES", "TIMES"]

TIMES = {"odot": "odot", "circ": "odot", "cdot": "cdot", "times": "times", "otimes": "otimes", "ast": "*", "star": "*"}
RELATIONS = {"le": "<=", "leq": "<=", "ge": ">=", "geq": ">=", "lt": "<", "gt": ">", "in": "in", "leqslant": "<=",
              "geqslant": ">="}  # fmt: skip
FUNCTIONS = frozenset({"tanh", "exp", "log", "ln", "sin", "cos", "max", "min", "sinh", "cosh"})
ACCENTS = {
    "hat": "hat",
    "bar": "bar",
    "tilde": "tilde",
    "dot": "dot",
    "widehat": "hat",
    "widetilde": "tilde",
    "overline": "bar",
}
STYLES = frozenset({"mathbf", "boldsymbol", "bm", "mathcal", "mathbb", "vec", "mathfrak", "pmb", "mathbfit", "symbf"})
DOTS = frozenset({"cdots", "dots", "ldots", "vdots", "dotsb", "dotsc"})
PLAIN = {
    **{n: n for n in GREEK},
    **{
        n: n
        for n in ("Sigma", "Lambda", "Theta", "Gamma", "Omega", "Psi", "Pi", "Xi", "infty", "zeta", "iota", "upsilon")
    },
    **{"varepsilon": "epsilon", "varphi": "phi", "vartheta": "theta", "ell": "l"},
}
