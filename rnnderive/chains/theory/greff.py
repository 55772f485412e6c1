"""The peephole LSTM's backward pass as Greff et al. print it, against ours, term by term and exactly."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent

from rnnderive import cells
from rnnderive import printing as pr
from rnnderive.chains.theory.claim import Claim, Given
from rnnderive.checks.identity import identical
from rnnderive.derivation import derive
from rnnderive.language import Recurrence

__all__ = ["BACKWARD", "claims"]

ROW = "greff"

# Appendix B of arXiv:1503.04069 in its order; σ′ and tanh′ are written in the outputs.  Δ^t, what the
# layer above sends down, is here that of our readout.  The paper's sums over ⟨δ^{t+1}, y^t⟩ and
# c^t ⊙ δ^{t+1} start at t = 0 with y^0 = c^0 = 0; shifted by one step they also hold for other y^0, c^0.
BACKWARD = """
    delta_y_hat[t] = ((y_hat[T] - target) * y_hat[T] * (1 - y_hat[T]) if t == T else 0)
    Delta[t]   = W_y.T @ delta_y_hat[t]
    dy[t]      = Delta[t] + R_z.T @ delta_z[t+1] + R_i.T @ delta_i[t+1] + R_f.T @ delta_f[t+1] + R_o.T @ delta_o[t+1]
    delta_o[t] = dy[t] * tanh(c[t]) * (o[t] * (1 - o[t]))
    dc[t]      = (dy[t] * o[t] * (1 - tanh(c[t])**2) + p_o * delta_o[t] + p_i * delta_i[t+1]
                  + p_f * delta_f[t+1] + dc[t+1] * f[t+1])
    delta_f[t] = dc[t] * c[t-1] * (f[t] * (1 - f[t]))
    delta_i[t] = dc[t] * z[t] * (i[t] * (1 - i[t]))
    delta_z[t] = dc[t] * i[t] * (1 - z[t]**2)
    dx[t]      = W_z.T @ delta_z[t] + W_i.T @ delta_i[t] + W_f.T @ delta_f[t] + W_o.T @ delta_o[t]
    dW_z = sum(delta_z[t] @ x[t].T, t)
    dW_i = sum(delta_i[t] @ x[t].T, t)
    dW_f = sum(delta_f[t] @ x[t].T, t)
    dW_o = sum(delta_o[t] @ x[t].T, t)
    dR_z = sum(delta_z[t] @ y[t-1].T, t)
    dR_i = sum(delta_i[t] @ y[t-1].T, t)
    dR_f = sum(delta_f[t] @ y[t-1].T, t)
    dR_o = sum(delta_o[t] @ y[t-1].T, t)
    db_z = sum(delta_z[t], t)
    db_i = sum(delta_i[t], t)
    db_f = sum(delta_f[t], t)
    db_o = sum(delta_o[t], t)
    dp_i = sum(c[t-1] * delta_i[t], t)
    dp_f = sum(c[t-1] * delta_f[t], t)
    dp_o = sum(c[t] * delta_o[t], t)
"""
TERMS = (
    *("dy", "delta_o", "dc", "delta_f", "delta_i", "delta_z", "dx"),
    *(f"d{kind}_{gate}" for kind in "WRb" for gate in "zifo"),
    *("dp_i", "dp_f", "dp_o"),
)


def claims(quick: bool = True) -> Iterator[Claim]:
    """One claim for each of the printed equations."""
    net = cells.peephole_lstm()
    printed = Recurrence.parse(f"{net}\n{dedent(BACKWARD)}", loss="L")
    ours = derive(net, [*net.parameters, "x"]).adjoint  # δx is one of the printed equations
    for name in TERMS:
        verdict = identical(ours, printed, net, outputs=[name], T=4)
        values: dict[str, Given] = {"name": pr.name_math(name), "entries": verdict.entries}
        says = "term" if verdict.by == "field" else "term_digits"
        yield Claim(ROW, says, 1, bool(verdict), 0, "greff", "published", values=values)
