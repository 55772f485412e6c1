"""An object with attributes, a peephole LSTM; wrong: dC lacks the path through the output gate's peephole."""

from functools import partial

import numpy as np

import rnnderive as rd
from tests.hand.real.case import Case

GATES = "zifo"


class Block:
    """An LSTM block of one layer; gradients are attributes ``dW_z``, … after :meth:`backward`."""

    def __init__(self, **arrays):
        self.__dict__.update(arrays)
        self.names = list(arrays)

    def forward(self, x, y0, c0):
        self.x, self.y, self.c, self.steps = x, [y0], [c0], []
        for x_t in x:
            y, c = self.y[-1], self.c[-1]
            z = np.tanh(self.W_z @ x_t + self.R_z @ y + self.b_z)
            i = self.sigmoid(self.W_i @ x_t + self.R_i @ y + self.p_i * c + self.b_i)
            f = self.sigmoid(self.W_f @ x_t + self.R_f @ y + self.p_f * c + self.b_f)
            new = z * i + c * f
            o = self.sigmoid(self.W_o @ x_t + self.R_o @ y + self.p_o * new + self.b_o)
            self.steps.append((z, i, f, o))
            self.c.append(new)
            self.y.append(np.tanh(new) * o)
        self.out = self.sigmoid(self.W_y @ self.y[-1] + self.b_y)
        return self.out

    def backward(self, error, mistake):
        for name in self.names:
            setattr(self, f"d{name}", np.zeros_like(getattr(self, name)))
        d_out = error * self.out * (1 - self.out)
        self.dW_y += np.outer(d_out, self.y[-1])
        self.db_y += d_out
        dy, dc = self.W_y.T @ d_out, np.zeros_like(self.c[0])
        for t in range(len(self.x), 0, -1):
            z, i, f, o = self.steps[t - 1]
            before, now = self.c[t - 1], self.c[t]
            do = dy * np.tanh(now) * o * (1 - o)
            dc = dc + dy * o * (1 - np.tanh(now) ** 2)
            if not mistake:
                dc = dc + self.p_o * do
            dz, di, df = dc * i * (1 - z**2), dc * z * i * (1 - i), dc * before * f * (1 - f)
            for gate, d in zip(GATES, (dz, di, df, do), strict=True):
                setattr(self, f"dW_{gate}", getattr(self, f"dW_{gate}") + np.outer(d, self.x[t - 1]))
                setattr(self, f"dR_{gate}", getattr(self, f"dR_{gate}") + np.outer(d, self.y[t - 1]))
                setattr(self, f"db_{gate}", getattr(self, f"db_{gate}") + d)
            self.dp_i += di * before
            self.dp_f += df * before
            self.dp_o += do * now
            dy = sum(getattr(self, f"R_{g}").T @ d for g, d in zip(GATES, (dz, di, df, do), strict=True))
            dc = dc * f + self.p_i * di + self.p_f * df
        self.dy0, self.dc0 = dy, dc

    @staticmethod
    def sigmoid(a):
        return 1 / (1 + np.exp(-a))


def train(x, target, y0, c0, params, mistake):
    block = Block(**params)
    error = block.forward(x, y0, c0) - target
    block.backward(error, mistake)
    return 0.5 * np.sum(error**2), block


CASE = Case(
    rd.cells.peephole_lstm(),
    partial(train, mistake=False),
    partial(train, mistake=True),
    "the path of dC through the peephole of o is missing",
    frozenset({*(f"{m}_{g}" for m in "WRb" for g in "zifo"), "p_i", "p_f", "p_o", "y0", "c0"}),
    "missing path",
)
