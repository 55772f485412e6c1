"""Cells without gates: the dense layer, the vanilla RNN, the lecture's classifier, IndRNN."""

from __future__ import annotations

import difflib

from rnnderive.errors import InputError
from rnnderive.language import FUNCTIONS, Recurrence

__all__ = ["activated", "dense", "indrnn", "lecture", "vanilla"]

_COLUMN_FUNCTIONS = ("softmax", "log_softmax")


def activated(activation: str | None, inside: str) -> str:
    """The text of an activation applied to `inside`; None and ``identity`` leave it as it is.

    Parameters
    ----------
    activation : str or None
        A name in :data:`rnnderive.language.FUNCTIONS`, ``softmax`` or ``log_softmax``.
    inside : str
        What it is applied to, in the language.

    Raises
    ------
    InputError
        When there is no such function; the message lists those there are.

    Examples
    --------
    >>> activated("tanh", "U @ h[t-1]")
    'tanh(U @ h[t-1])'
    """
    if activation is None or activation == "identity":
        return inside
    known = [*FUNCTIONS, *_COLUMN_FUNCTIONS]
    if activation not in known:
        near = difflib.get_close_matches(str(activation), known, 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise InputError(f"unknown activation {activation!r}{hint} Known: {', '.join(known)}")
    return f"{activation}({inside})"


def dense(activation: str = "sigmoid") -> Recurrence:
    """A fully connected layer, the same at every step: row 1 of the lecture.

    Parameters
    ----------
    activation : str
        A name in :data:`rnnderive.language.FUNCTIONS`.

    Examples
    --------
    >>> print(dense())
    y[t] = sigmoid(W @ x[t] + b)
    L = squared_error(y[T], target)
    """
    return Recurrence.parse(f"""
        y[t] = {activated(activation, "W @ x[t] + b")}
        L    = squared_error(y[T], target)
    """)


def vanilla(activation: str = "tanh", output: str = "sigmoid") -> Recurrence:
    """The recurrent network of Elman (1990), in the usual form; also called ``rnn``.

    Parameters
    ----------
    activation, output : str
        Names in :data:`rnnderive.language.FUNCTIONS`, for the state and for the readout.

    Examples
    --------
    >>> print(vanilla())
    h[t] = tanh(W @ x[t] + U @ h[t-1] + b_h)
    y[t] = sigmoid(V @ h[t] + b_y)
    L = squared_error(y[T], target)
    """
    return Recurrence.parse(f"""
        h[t] = {activated(activation, "W @ x[t] + U @ h[t-1] + b_h")}
        y[t] = {activated(output, "V @ h[t] + b_y")}
        L    = squared_error(y[T], target)
    """)


def lecture() -> Recurrence:
    """The lecture's many-to-one classifier: the last output goes through a dense layer.

    Examples
    --------
    >>> print(lecture())
    h[t] = sigmoid(W @ x[t] + U @ h[t-1] + b_h)
    y[t] = sigmoid(V @ h[t] + b_y)
    y_hat = sigmoid(W_fc @ y[T] + b_fc)
    L = squared_error(y_hat, target)
    """
    return Recurrence.parse("""
        h[t]  = sigmoid(W @ x[t] + U @ h[t-1] + b_h)
        y[t]  = sigmoid(V @ h[t] + b_y)
        y_hat = sigmoid(W_fc @ y[T] + b_fc)
        L     = squared_error(y_hat, target)
    """)


def indrnn() -> Recurrence:
    """The independently recurrent network (Li et al. 2018, eq. 2): each unit reads itself only.

    The recurrent weight is a vector, so that the state's Jacobian is diagonal.

    Examples
    --------
    >>> print(indrnn())
    h[t] = relu(W @ x[t] + u * h[t-1] + b)
    y[t] = sigmoid(W_y @ h[t] + b_y)
    L = squared_error(y[T], target)
    """
    return Recurrence.parse("""
        h[t] = relu(W @ x[t] + u * h[t-1] + b)
        y[t] = sigmoid(W_y @ h[t] + b_y)
        L    = squared_error(y[T], target)
    """)
