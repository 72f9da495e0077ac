"""Holes: new sound inside, every sample outside untouched.

    source    ▁▂▃▄▅▄▃▂▁▂▃▄▅▄▃▂▁
                  │ hole   │
    fade          ╲        ╱          lies inside the hole, from how the source would have gone on
    take      same│new  new│same      level meets the surroundings at both edges

`continue` is a hole past the region's end, `loop` one across the point where it wraps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine import units
from engine.air import add_air
from engine.edges import (
    EDGE_S,
    NO_CONTEXT,
    Context,
    Kept,
    Span,
    gain_curve,
    kept_sound,
    offset_of,
    sound_around,
    sounding,
)
from engine.edits import Hole
from engine.errors import RequestError
from engine.fades import CROSSFADE_S, HISTORY_S, OPEN_FADE_S, crossfade, extrapolate, fade_in
from engine.filters import band_taps, filtered, reach_frames
from engine.region import Region
from engine.samples import Samples, blocks
from engine.spans import merged

#: Slope of a band's ends, as a share of their frequency and at least.
SLOPE_SHARE, LEAST_SLOPE_HZ, STOP_DB = 0.1, 30.0, 80.0
#: What a rotated region hears of its own repetition.
LOOP_CONTEXT_S = 5.0


def fill_holes(
    region: Region,
    wave: Samples,
    holes: Sequence[Hole],
    model_rate: int,
    context: Context = NO_CONTEXT,
) -> Samples:
    """A region with its holes filled, shape = (n_frames, n_channels).

    Outside the holes every sample is the region's own.

    Parameters
    ----------
    region : Region
    wave : ndarray of float32, shape = (n_frames,)
        New sound for the whole region, one channel at the host's rate and level.
    holes : sequence of Hole
        They may overlap and reach the region's ends.
    model_rate : int
        Above half of it the wave holds nothing.
    context : pair of ndarray of float32, shapes = (n_before,) and (n_after,)
        The model's sound just before the region and just after it, as far as there is any.

    Raises
    ------
    RequestError
        `bad-value`: a hole that ends after the region, or a band above the region's Nyquist
        frequency.
    """
    check_holes(region, holes)
    filled = np.array(region.samples)
    spans = _merged(region, holes)
    airy = _airy(region, wave, spans, model_rate)
    kept = kept_sound(region, airy, spans, context)
    for span in _merged(region, [hole for hole in holes if hole.is_full_band]):
        fill_span(filled, region, airy[span.start_frames : span.stop_frames], span, kept)
    for hole in holes:
        if not hole.is_full_band:
            _fill_band(filled, region, airy, hole, context)
    return filled


def _airy(region: Region, wave: Samples, spans: Sequence[Span], model_rate: int) -> Samples:
    """A wave as bright as what sounds outside some spans."""
    around = sound_around(region, spans)
    around -= offset_of(around)  # an offset counts as no band's level
    return add_air(wave, around, region.rate, model_rate)


def check_holes(region: Region, holes: Sequence[Hole]) -> None:
    """RequestError (`bad-value`) for a hole outside the region or above its Nyquist frequency."""
    for hole in holes:
        if hole.stop_frames > region.n_frames:
            raise RequestError(
                "bad-value",
                f"hole is frames {hole.start_frames} to {hole.stop_frames}; "
                f"the region has {region.n_frames} frames",
            )
        if (hole.low_hz or 0.0) >= region.rate / 2:
            raise RequestError(
                "bad-value",
                f"hole starts at {hole.low_hz:g} Hz; "
                f"at {region.rate} Hz nothing sounds above {region.rate / 2:g} Hz",
            )


def _merged(region: Region, holes: Sequence[Hole]) -> list[Span]:
    """Holes as spans, in order, that neither overlap nor touch."""
    spans = merged((hole.start_frames, hole.stop_frames) for hole in holes)
    return [_span(region, start, stop) for start, stop in spans]


def _span(region: Region, start_frames: int, stop_frames: int) -> Span:
    joins_before = start_frames > 0 or len(region.before) > 0
    joins_after = stop_frames < region.n_frames or len(region.after) > 0
    return Span(start_frames, stop_frames, joins_before, joins_after)


def fill_span(filled: Samples, region: Region, fresh: Samples, span: Span, kept: Kept) -> None:
    """Fill one span of `filled`, in place, with new sound at the level of its surroundings.

    At its edges the new sound crossfades with how the surroundings would have gone on, so that
    nothing of what was in the hole is left.

    Parameters
    ----------
    filled : ndarray of float32, shape = (n_frames, n_channels)
    region : Region
        What surrounds the span.
    fresh : ndarray of float32, shape = (span.frames,)
        New sound for the span.
    span : Span
    kept : Kept
        What is known of the sound outside the holes.
    """
    offset = kept.offset
    gains = gain_curve(region, fresh, span, kept)
    inside = filled[span.start_frames : span.stop_frames]
    for start, stop in blocks(0, span.frames, region.n_channels):
        inside[start:stop] = fresh[start:stop, np.newaxis] * gains.at(start, stop) + offset
    fade = min(units.seconds_to_frames(CROSSFADE_S, region.rate), span.frames // 2)
    reach = units.seconds_to_frames(HISTORY_S, region.rate)
    if span.joins_before and fade:
        before = sounding(region, span.start_frames - reach, span.start_frames) - offset
        inside[:fade] = crossfade(extrapolate(before, fade), inside[:fade] - offset) + offset
    if span.joins_after and fade:
        after = sounding(region, span.stop_frames, span.stop_frames + reach) - offset
        returning = extrapolate(after[::-1], fade)
        ending = crossfade(returning, inside[-fade:][::-1] - offset)
        inside[-fade:] = ending[::-1] + offset


def _fill_band(
    filled: Samples, region: Region, wave: Samples, hole: Hole, context: Context
) -> None:
    """Fill a band of frequencies over a stretch of time, in place; other frequencies stay."""
    low_hz, high_hz = hole.low_hz or 0.0, min(hole.high_hz or np.inf, region.rate / 2)
    slope_hz = max(LEAST_SLOPE_HZ, SLOPE_SHARE * (low_hz or high_hz))
    taps = band_taps(low_hz, high_hz, slope_hz, region.rate, STOP_DB)
    reach = max(reach_frames(taps), units.seconds_to_frames(EDGE_S, region.rate))
    first = max(0, hole.start_frames - reach)
    last = min(region.n_frames, hole.stop_frames + reach)
    lead = sounding(region, hole.start_frames - reach, first)
    tail = sounding(region, last, hole.stop_frames + reach)
    old = np.concatenate([lead, filled[first:last], tail])
    for channel in range(region.n_channels):
        old[:, channel] = filtered(old[:, channel], taps)
    inside = slice(len(lead), len(lead) + last - first)
    band = Region(old[inside], region.rate, old[: inside.start], old[inside.stop :])
    start, stop = hole.start_frames - first, hole.stop_frames - first
    span = _span(band, start, stop)
    before, after = context
    before, after = before[max(0, len(before) - len(lead)) :], after[: len(tail)]
    whole = filtered(np.concatenate([before, wave[first:last], after]), taps)
    before, new, after = np.split(whole, [len(before), len(before) + last - first])
    change = np.array(band.samples)
    fill_span(change, band, new[start:stop], span, kept_sound(band, new, [span], (before, after)))
    change -= band.samples
    filled[hole.start_frames : hole.stop_frames] += change[start:stop]


def fill_new(
    region: Region, wave: Samples, new_frames: int, direction: str, model_rate: int
) -> Samples:
    """A region that goes on, shape = (n_frames + new_frames, n_channels).

    Parameters
    ----------
    region : Region
    wave : ndarray of float32, shape = (n_frames + new_frames,)
        The region and what is new, one channel at the host's rate and level.
    new_frames : int
    direction : str
        "after" the region's end, or "before" its start.
    model_rate : int
    """
    longer, span = _extended(region, new_frames, direction)
    filled = np.array(longer.samples)
    airy = _airy(longer, wave, [span], model_rate)
    fresh = airy[span.start_frames : span.stop_frames]
    fill_span(filled, longer, fresh, span, kept_sound(longer, airy, [span]))
    fade_open_end(filled[span.start_frames : span.stop_frames], region.rate, direction)
    return filled


def _extended(region: Region, new_frames: int, direction: str) -> tuple[Region, Span]:
    room = np.zeros((new_frames, region.n_channels), np.float32)
    if direction == "after":
        longer = np.concatenate([region.samples, room])
        span = Span(region.n_frames, region.n_frames + new_frames, True, False)
        return Region(longer, region.rate, region.before), span
    longer = np.concatenate([room, region.samples])
    return Region(longer, region.rate, after=region.after), Span(0, new_frames, False, True)


def fade_open_end(samples: Samples, rate: int, direction: str) -> None:
    """Fade the end that stops in nothing, in place, by at most 5 ms and a quarter of the length."""
    fade = min(units.seconds_to_frames(OPEN_FADE_S, rate), len(samples) // 4)
    if direction == "after" and fade:
        samples[-fade:] *= fade_in(fade)[::-1]
    elif fade:
        samples[:fade] *= fade_in(fade)


def loop_region(region: Region, seam_s: float) -> tuple[Region, Hole | None]:
    """A region turned by half, so that it wraps in its middle, and the seam there.

    Before and after it sounds the region's own repetition. The seam is at most half the region; a
    region of one frame has none.
    """
    turn = region.n_frames // 2
    turned = np.roll(region.samples, turn, axis=0)
    seam = min(max(1, units.seconds_to_frames(seam_s, region.rate)), turn)
    context = min(units.seconds_to_frames(LOOP_CONTEXT_S, region.rate), region.n_frames)
    rotated = Region(turned, region.rate, turned[len(turned) - context :], turned[:context])
    return rotated, Hole(turn - seam // 2, seam) if seam else None
