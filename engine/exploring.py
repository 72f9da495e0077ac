"""Looking around a take that is liked: new noise that is partly that take's own.

Two draws of Gaussian noise lie at right angles on a sphere, near enough, and so does all between
them along the arc (spherical interpolation, Shoemake 1985); a straight mixture would be quieter
than any noise the model knows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from engine.automation import lineage
from engine.denoise import TakeNoise
from engine.errors import RequestError


def past_seeds(around: str) -> set[int]:
    """The seeds that led to a take; none for "".

    Raises
    ------
    RequestError
        `bad-value`: a take of a job, which only the server that ran it knows.
    """
    if not around:
        return set()
    if ":" in around:
        raise RequestError(
            "bad-value", f"around is {around}, a server's job; send the edit there, or give a seed"
        )
    seed, steps = lineage(around)
    return {seed, *(step for _, step in steps)}


def take_noise(seeds: Sequence[int], around: str = "", spread: float = 1.0) -> TakeNoise:
    """The noise of takes with these seeds, or of takes around another one.

    Parameters
    ----------
    seeds : sequence of int
    around : str
        As `automation.lineage` reads it; "" for noise of the seeds alone.
    spread : float
        0 is the take searched around, 1 the seeds' own noise.
    """
    return NearNoise(seeds, around, spread) if around else TakeNoise(seeds)


class NearNoise(TakeNoise):
    """Noise on the arc from one take's noise to each seed's own.

    Parameters
    ----------
    seeds : sequence of int
    around : str
    spread : float
        Share of the arc.
    """

    def __init__(self, seeds: Sequence[int], around: str, spread: float) -> None:
        super().__init__(seeds)
        first, steps = lineage(around)
        self._from = TakeNoise([first])
        self._steps = [(share, TakeNoise([seed])) for share, seed in steps]
        self._spread = spread

    def draw(self, shape: Sequence[int]) -> Tensor:
        """Noise of shape = (n_takes, *shape), float32 on the CPU."""
        liked = self._from.draw(shape)
        for share, noise in self._steps:
            liked = slerp(liked, noise.draw(shape), share)
        own = super().draw(shape)
        return slerp(liked.expand_as(own), own, self._spread)


def slerp(first: Tensor, second: Tensor, share: float) -> Tensor:
    """Along the arc from one noise to another, row by row; 0 and 1 are the two themselves."""
    if share == 0.0:
        return first.clone()
    if share == 1.0:
        return second.clone()
    rows = [_arc(one, two, share) for one, two in zip(first, second, strict=True)]
    return torch.stack(rows)


def _arc(first: Tensor, second: Tensor, share: float) -> Tensor:
    one, two = first.double().flatten(), second.double().flatten()
    cosine = float(one @ two / (one.norm() * two.norm()).clamp(min=1e-30))
    angle = math.acos(min(max(cosine, -1.0), 1.0))
    if angle < 1e-6 or math.pi - angle < 1e-6:  # one and the same, or straight opposite
        return first if share < 0.5 else second
    before, after = math.sin((1 - share) * angle), math.sin(share * angle)
    return (before * first + after * second) / math.sin(angle)
