"""Write the golden files: what the library's cells look like in LaTeX and as NumPy source.

    python tests/golden/update.py

A reviewer reads the effect of a change to the calculus, the printer or the compiler in their diff.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rnnderive import cells, derive, printing

HERE = Path(__file__).parent


def documents() -> dict[str, str]:
    """File name → content, for every cell of the library."""
    out = {}
    for name, make in sorted(cells.LIBRARY.items()):
        net = make()
        d = derive(net)
        first = net.parameters[0]
        chain = printing.latex(d.chain(first, T=3).math(net.notation))
        closed = printing.latex(d.chain(first).math(net.notation))
        states = [s for stage in net.schedule if stage.direction != "all" for s in stage.names]
        jacobians = [f"% d {s} / d {s}\n{printing.latex(d.jacobian(s, s).math(net.notation))}" for s in states]
        blocks = ["% the adjoint", d.adjoint.latex(), f"% dL/d{first}, T = 3", chain, f"% dL/d{first}, any T", closed]
        out[f"{name}.tex"] = "\n".join([*blocks, *jacobians]) + "\n"
        out[f"{name}.py"] = d.source()
    return out


def main() -> int:
    """Write what has changed, remove what has no cell any more."""
    fresh = documents()
    for path in HERE.iterdir():
        if path.name != Path(__file__).name and path.is_file() and path.name not in fresh:
            path.unlink()
            print(f"removed {path.name}")
    for name, text in fresh.items():
        path = HERE / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
