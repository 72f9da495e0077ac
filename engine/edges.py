"""Levels around a hole, and the gains that bring new sound to them.

gain      edge ╲                ╱ edge       at each edge: the level just outside
                ╲______________╱             over the new sound's level just inside
                   overall gain              further in: what brings the model's own
          |<-0.3 s->|                        rendering of the kept sound to its level
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine import units
from engine.loudness import rms
from engine.region import Region
from engine.samples import Samples

#: Levels are compared over this much on both sides of an edge, and matter this far into the hole.
EDGE_S, NEAR_S = 0.05, 0.3
#: How far an edge may pull the level from the overall one.
MOST_BOOST_DB, MOST_CUT_DB = 9.0, 20.0
#: How far the overall level may be corrected.
MOST_OVERALL_DB = 30.0

Gains = npt.NDArray[np.float64]
#: One-channel sound just before a region and just after it.
Context = tuple[Samples, Samples]
NO_CONTEXT: Context = (np.zeros(0, np.float32), np.zeros(0, np.float32))


@dataclass(frozen=True)
class Span:
    """A stretch of host frames, and whether something sounds on at its two ends."""

    start_frames: int
    stop_frames: int
    joins_before: bool = True
    joins_after: bool = True

    @property
    def frames(self) -> int:
        """Length in host frames."""
        return self.stop_frames - self.start_frames


@dataclass(frozen=True, eq=False)
class Kept:
    """What is known of a region outside its holes.

    Parameters
    ----------
    gain : float
        What brings the model's rendering of the kept sound to the kept sound's level.
    offset : ndarray of float32, shape = (n_channels,)
        The constant part of the kept sound and of what sounds before and after the region.
    """

    gain: float
    offset: Samples


def kept_parts(spans: Sequence[Span], n_frames: int) -> list[slice]:
    """What lies between spans that are in order and don't overlap; some parts may be empty."""
    edges = [0, *(edge for s in spans for edge in (s.start_frames, s.stop_frames)), n_frames]
    return [slice(*pair) for pair in zip(edges[::2], edges[1::2], strict=True)]


def sound_around(region: Region, spans: Sequence[Span]) -> Samples:
    """All that sounds outside some spans, context included, in order; a copy."""
    parts = [region.samples[part] for part in kept_parts(spans, region.n_frames)]
    return np.concatenate([region.before, *parts, region.after])


def offset_of(samples: Samples) -> Samples:
    """Mean of every channel, shape = (n_channels,); 0 for no frames."""
    total = samples.sum(axis=0, dtype=np.float64)
    return np.asarray(total / max(1, len(samples)), np.float32)


def kept_sound(
    region: Region, wave: Samples, spans: Sequence[Span], context: Context = NO_CONTEXT
) -> Kept:
    """What is known of a region outside some spans, which are in order and don't overlap.

    Parameters
    ----------
    region : Region
    wave : ndarray of float32, shape = (n_frames,)
        The model's rendering of the region, holes and all. Silence, in it or in the region, gives a
        gain of 1.
    spans : sequence of Span
    context : pair of ndarray of float32, shapes = (n_before,) and (n_after,)
        The model's rendering of what sounds just before the region and just after it. A region that
        is all hole has its level from there; without it a gain of 1.
    """
    offset = offset_of(sound_around(region, spans))
    pairs = [(region.samples[part], wave[part]) for part in kept_parts(spans, region.n_frames)]
    if not any(len(rendered) for _, rendered in pairs):
        before, after = context
        start = max(0, len(region.before) - len(before))
        pairs = [(region.before[start:], before), (region.after[: len(after)], after)]
    kept, rendered = (
        sum(rms(part) ** 2 * len(part) for part in parts)
        for parts in (
            [samples - offset for samples, _ in pairs],
            [answer[:, np.newaxis] for _, answer in pairs],
        )
    )
    if min(kept, rendered) <= 0.0:
        return Kept(1.0, offset)
    return Kept(_held(float(np.sqrt(kept / rendered)), MOST_OVERALL_DB, MOST_OVERALL_DB), offset)


def _held(gain: float, most_cut_db: float, most_boost_db: float) -> float:
    return float(np.clip(gain, 10 ** (-most_cut_db / 20), 10 ** (most_boost_db / 20)))


@dataclass(frozen=True, eq=False)
class GainCurve:
    """Gains over a span: those of its edges near them, one overall gain between.

    Parameters
    ----------
    first, middle, last : ndarray, shape = (n_channels,)
        None at an end where nothing sounds on.
    n_frames : int
        Length of the span.
    near_frames : int
        How far an edge matters.
    """

    first: Gains | None
    middle: Gains
    last: Gains | None
    n_frames: int
    near_frames: int

    def at(self, start_frames: int, stop_frames: int) -> Gains:
        """Gains at some frames of the span, shape = (n, n_channels), gliding evenly in decibels."""
        frames = np.arange(start_frames, stop_frames) + 0.5
        near = max(1, min(self.near_frames, self.n_frames))
        parts = [(np.zeros(len(frames)), self.middle)]
        if self.first is not None:
            parts.append((np.maximum(0.0, 1 - frames / near), self.first))
        if self.last is not None:
            parts.append((np.maximum(0.0, 1 - (self.n_frames - frames) / near), self.last))
        edges = sum(weight for weight, _ in parts)
        parts[0] = (np.maximum(0.0, 1 - edges), self.middle)
        scale = np.maximum(1.0, edges)
        logs = sum(
            (weight / scale)[:, np.newaxis] * np.log(np.maximum(gains, 1e-30))
            for weight, gains in parts
        )
        return np.asarray(np.exp(logs))


def gain_curve(region: Region, fresh: Samples, span: Span, kept: Kept) -> GainCurve:
    """Gains of new sound over a span, so that it meets the level at both edges.

    Parameters
    ----------
    region : Region
    fresh : ndarray of float32, shape = (span.frames,)
        New sound for the span.
    span : Span
    kept : Kept
    """
    reach = min(units.seconds_to_frames(EDGE_S, region.rate), span.frames)
    start, stop = span.start_frames, span.stop_frames
    first = last = None
    if span.joins_before:
        outside = sounding(region, start - reach, start) - kept.offset
        first = _edge_gain(outside, fresh[:reach], region, kept)
    if span.joins_after:
        outside = sounding(region, stop, stop + reach) - kept.offset
        last = _edge_gain(outside, fresh[span.frames - reach :], region, kept)
    near = units.seconds_to_frames(NEAR_S, region.rate)
    balances = [edge / np.sqrt(np.mean(edge**2)) for edge in (first, last) if edge is not None]
    balance = np.mean(balances, axis=0) if balances else _balance(region.samples - kept.offset)
    return GainCurve(first, kept.gain * balance, last, span.frames, near)


def sounding(region: Region, start_frames: int, stop_frames: int) -> Samples:
    """Host frames counted from the region's start, context included, as far as there are any."""
    parts = []
    for samples, offset in (
        (region.before, -len(region.before)),
        (region.samples, 0),
        (region.after, region.n_frames),
    ):
        parts.append(samples[max(0, start_frames - offset) : max(0, stop_frames - offset)])
    return np.concatenate(parts)


def _edge_gain(outside: Samples, inside: Samples, region: Region, kept: Kept) -> Gains:
    """Gain a channel that brings new sound inside an edge to the level outside it."""
    level, wanted = rms(inside[:, np.newaxis]), rms(outside)
    pull = wanted / (level * kept.gain) if level > 0.0 and wanted > 0.0 else 1.0
    balance = _balance(outside if wanted > 0.0 else region.samples - kept.offset)
    return kept.gain * _held(pull, MOST_CUT_DB, MOST_BOOST_DB) * balance


def _balance(samples: Samples) -> Gains:
    """Level of every channel over that of all; 1 for silence. Shape = (n_channels,)."""
    whole = rms(samples)
    if whole == 0.0:
        return np.ones(samples.shape[1])
    return np.array([rms(samples[:, c, np.newaxis]) / whole for c in range(samples.shape[1])])
