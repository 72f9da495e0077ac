"""Times of contenders that take turns, and what they say."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

Work = Callable[[], Any]
Clock = Callable[[], float]
#: What seconds are counted: those of the wall, or those the process computes, summed over threads.
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclass(frozen=True)
class Measured:
    """Seconds of every turn, by contender; the first contender is Retake."""

    seconds: Mapping[str, list[float]]

    def median_s(self, name: str) -> float:
        """The middle one of a contender's times."""
        return median(self.seconds[name])

    def ratios(self) -> dict[str, dict[str, float]]:
        """How many times faster the first is than each other: median, and the turns' range."""
        own, *others = self.seconds
        found = {}
        for other in others:
            pairs = zip(self.seconds[other], self.seconds[own], strict=True)
            turns = [b / a for b, a in pairs]
            ratio = self.median_s(other) / self.median_s(own)
            found[other] = {"ratio": ratio, "low": min(turns), "high": max(turns)}
        return found

    def to_json(self) -> dict[str, Any]:
        """Medians and ratios."""
        medians = {name: self.median_s(name) for name in self.seconds}
        return {"seconds": medians, "ratios": self.ratios()}


def take_turns(works: Mapping[str, Work], repeats: int, clock: Clock, warm: int = 1) -> Measured:
    """Run contenders by turns.

    Parameters
    ----------
    works : mapping of str to callable
    repeats : int
        Timed turns.
    clock : callable
    warm : int
        Turns before them that count for nothing.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(-warm, repeats):
        for name, work in works.items():
            start_s = clock()
            work()
            if turn >= 0:
                seconds[name].append(clock() - start_s)
    return Measured(seconds)


def print_head(title: str, names: list[str]) -> None:
    """A table's head: the contenders, then how much faster the first is than each other."""
    columns = [f"{name:>24}" for name in names] + [f"{'vs ' + name:>34}" for name in names[1:]]
    print(f"\n{title}\n{'':<26}" + "".join(columns), flush=True)


def print_row(name: str, measured: Measured) -> None:
    """One row's medians and ratios."""
    cells = [f"{measured.median_s(one):22.4f} s" for one in measured.seconds]
    for ratio in measured.ratios().values():
        text = f"{ratio['ratio']:.2f}x ({ratio['low']:.2f} to {ratio['high']:.2f})"
        cells.append(f"{text:>34}")
    print(f"{name:<26}" + "".join(cells), flush=True)
