"""What a peer hands over to be timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Task", "Unavailable"]


class Unavailable(Exception):
    """This peer does not do this work; the message says why."""


@dataclass(frozen=True)
class Task:
    """A piece of work, ready to run.

    Attributes
    ----------
    run : callable
        Computes value and gradient, and returns when they are there.
    read : callable
        Of what `run` returned: the loss, and the gradients by our names.
    """

    run: Callable[[], Any]
    read: Callable[[Any], tuple[float, dict[str, Any]]]
