"""Which part of a region the model is shown: the edit and its surroundings, no more.

    clip      ------------[hole]------------------------------------[hole]---
    shown          [  a window wide  ]                   [  a window wide  ]

So an edit of one second costs the same in a short clip and in an hour. No torch here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine import units
from engine.edits import Hole
from engine.region import Region
from engine.samples import Samples


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans (start, stop) in order, those that overlap or touch as one."""
    found: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], stop)
        else:
            found.append((start, stop))
    return found


@dataclass(frozen=True, eq=False)
class Excerpt:
    """A part of a region, as a region of its own.

    Parameters
    ----------
    region : Region
        With what sounds around the part as its context.
    start_frames : int
        Where it lies in the whole region.
    holes : tuple of Hole
        Counted from the excerpt's start.
    """

    region: Region
    start_frames: int
    holes: tuple[Hole, ...]

    @property
    def stop_frames(self) -> int:
        """First frame of the whole region after the excerpt."""
        return self.start_frames + self.region.n_frames

    def paste(self, samples: Samples, onto: Samples) -> None:
        """Write the excerpt's new samples into its place in the whole, in place."""
        onto[self.start_frames : self.stop_frames] = samples


def excerpt(region: Region, start_frames: int, stop_frames: int, context_frames: int = 0) -> Region:
    """Frames start to stop of a region, with up to `context_frames` of what sounds on each side."""
    return Region(
        _stretch(region, start_frames, stop_frames),
        region.rate,
        _stretch(region, start_frames - context_frames, start_frames),
        _stretch(region, stop_frames, stop_frames + context_frames),
    )


def _stretch(region: Region, start_frames: int, stop_frames: int) -> Samples:
    """Frames counted from the region's start, out of its context too, as far as there are any."""
    parts = []
    for samples, first in (
        (region.before, -len(region.before)),
        (region.samples, 0),
        (region.after, region.n_frames),
    ):
        parts.append(samples[max(0, start_frames - first) : max(0, stop_frames - first)])
    return np.concatenate(parts)


def with_context(region: Region, context_s: float) -> Region:
    """The region with at most so many seconds of context on each side."""
    frames = units.seconds_to_frames(context_s, region.rate)
    return excerpt(region, 0, region.n_frames, frames)


def around_holes(region: Region, holes: Sequence[Hole], window_s: float) -> list[Excerpt]:
    """Excerpts around holes, holes in reach of one another together.

    Each shows the holes in the middle of a window where they fit one, and a quarter of a window on
    either side where they don't.
    """
    window = units.seconds_to_frames(window_s, region.rate)
    return [_around(region, group, window) for group in _groups(holes, window)]


def _groups(holes: Sequence[Hole], window_frames: int) -> list[list[Hole]]:
    """Holes in order of time, split where they lie further apart than half a window."""
    groups: list[list[Hole]] = []
    for hole in sorted(holes, key=lambda h: h.start_frames):
        if groups:
            end = max(h.stop_frames for h in groups[-1])
            if hole.start_frames - end <= window_frames // 2:
                groups[-1].append(hole)
                continue
        groups.append([hole])
    return groups


def _around(region: Region, holes: Sequence[Hole], window_frames: int) -> Excerpt:
    first = min(hole.start_frames for hole in holes)
    last = max(hole.stop_frames for hole in holes)
    side = max((window_frames - (last - first)) // 2, window_frames // 4)
    start, stop = max(0, first - side), min(region.n_frames, last + side)
    context = max(0, side - (first - start)), max(0, side - (stop - last))
    part = excerpt(region, start, stop, max(context))
    moved = tuple(replace(hole, start_frames=hole.start_frames - start) for hole in holes)
    return Excerpt(part, start, moved)
