"""The library of cells: each is its equations, and a network is made of cells by combinators.

A name of :data:`LIBRARY`, or :func:`load` with a file, gives a :class:`~rnnderive.language.Recurrence`;
:func:`stack`, :func:`bidirectional`, :func:`readout` and :func:`loss` make others from any of them.
"""

from rnnderive.cells.combine import bidirectional, stack
from rnnderive.cells.grus import gru, gru_reset_after, mgu, mingru
from rnnderive.cells.head import loss, readout
from rnnderive.cells.library import (
    LIBRARY,
    bidirectional_lstm,
    bidirectional_rnn,
    load,
    recurrence,
    rnn,
    stacked_lstm,
)
from rnnderive.cells.lstms import coupled_lstm, lstm, peephole_lstm
from rnnderive.cells.plain import dense, indrnn, lecture, vanilla

__all__ = [
    "LIBRARY",
    "bidirectional",
    "bidirectional_lstm",
    "bidirectional_rnn",
    "coupled_lstm",
    "dense",
    "gru",
    "gru_reset_after",
    "indrnn",
    "lecture",
    "load",
    "loss",
    "lstm",
    "mgu",
    "mingru",
    "peephole_lstm",
    "readout",
    "recurrence",
    "rnn",
    "stack",
    "stacked_lstm",
    "vanilla",
]
