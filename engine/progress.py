"""What an edit says while it runs. No torch here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A point on an edit's way.

    Parameters
    ----------
    fraction : float
        Done so far, 0 to 1, never going back.
    stage : str
        "reading the text", "encoding", "denoising", "decoding", "rendering",
        "ranking", "done".
    step, steps : int
        Denoising steps done of those to do; 0 of 0 in other stages.
    """

    fraction: float
    stage: str
    step: int = 0
    steps: int = 0


#: Hears every Progress; may raise `Cancelled`, which ends the edit and passes through untouched.
Listener = Callable[[Progress], None]
#: Hears what share of a part is done; may raise as a Listener does.
OnPart = Callable[[float], None]


def unheard(_: float) -> None:
    """An OnPart for parts of which nobody hears."""


class Reporter:
    """Hands an edit's progress to a listener, as a share of the whole.

    Parameters
    ----------
    listener : callable or None
    low, high : float
        The part of the whole this reporter speaks for.
    """

    def __init__(self, listener: Listener | None, low: float = 0.0, high: float = 1.0) -> None:
        self._listener, self._low, self._high = listener, low, high

    def __call__(self, fraction: float, stage: str, step: int = 0, steps: int = 0) -> None:
        """Say how far this part is, `fraction` from 0 to 1."""
        if self._listener is not None:
            whole = self._low + fraction * (self._high - self._low)
            self._listener(Progress(min(1.0, whole), stage, step, steps))

    def between(self, low: float, high: float) -> Reporter:
        """A reporter for a part of this one's share, from and to fractions of it."""
        width = self._high - self._low
        return Reporter(self._listener, self._low + low * width, self._low + high * width)

    def part(self, index: int, n_parts: int) -> Reporter:
        """A reporter for one of several equal parts."""
        return self.between(index / n_parts, (index + 1) / n_parts)

    def stage(self, name: str) -> Callable[[float], None]:
        """A listener of fractions that belong to one stage."""
        return lambda fraction: self(fraction, name)
