"""Peaks of a take: as loud as its source, but no spike far above it.

Matching the loudness of a sparse take can drive its few peaks 13 dB over the source's. A limiter
with a soft knee holds them: gains come from the loudest sample of each millisecond, look 4 ms ahead
and let go as gently. Noise made of a tone peaks higher than the tone at the same loudness: up to
15 dB over the source's active level peaks are the sound's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage  # type: ignore[import-untyped]

from engine.levels import PIECE_S as LEVEL_S
from engine.levels import gains_between, piece_powers
from engine.loudness import Loudness, gain_to
from engine.samples import Samples, blocks

#: Peaks run free up to the source's own, or to so much over its active level, and bend towards
#: 4 dB more.
CREST, MOST_OVER = 10 ** (11.0 / 20), 10 ** (4.0 / 20)
#: Pieces of the source quieter than the loudest by more than 30 dB aren't active.
ACTIVE_SHARE = 1e-3
PIECE_S, REACH_PIECES = 0.001, 4
#: Rounds of matching and holding: each brings the loudness nearer.
ROUNDS = 4

Levels = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """What a take shall be as loud as, and the peak up to which it runs free.

    Parameters
    ----------
    loudness : Loudness
    peak : float
    """

    loudness: Loudness
    peak: float

    @classmethod
    def of(cls, source: Samples, rate: int) -> Level:
        """The level of a source, shape = (n_frames, n_channels)."""
        peak = max(_peak(source), CREST * _active_level(source, rate))
        return cls(Loudness.of(source, rate), peak)


def match_level(
    take: Samples, level: Level, rate: int, on_round: Callable[[], None] = lambda: None
) -> None:
    """Give a take the loudness of its source, and no peaks far above the source's, in place.

    Where both can't be had, the peaks win. Silence stays silence.

    Parameters
    ----------
    take : ndarray of float32, shape = (n_frames, n_channels)
    level : Level
        The source's.
    rate : int
    on_round : callable, optional
        Called before every round; a long take's last a second each.
    """
    for _ in range(ROUNDS):
        on_round()
        take *= np.float32(gain_to(level.loudness, take, rate))
        if not _hold(take, level.peak, rate):
            return


def _peak(samples: Samples) -> float:
    return max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))


def _active_level(samples: Samples, rate: int) -> float:
    powers = piece_powers(samples, max(1, round(LEVEL_S * rate))).max(axis=1)
    return float(np.sqrt(powers[powers >= ACTIVE_SHARE * powers.max()].mean()))


def _hold(take: Samples, peak: float, rate: int) -> bool:
    """Bend what lies above a peak towards 4 dB over it, in place; whether there was any."""
    if peak == 0.0 or _peak(take) <= peak * 1.0001:
        return False
    piece = max(1, round(PIECE_S * rate))
    levels = _piece_peaks(take, piece)
    room = peak * (MOST_OVER - 1.0)
    over = np.maximum(levels - peak, 0.0)
    wanted = np.where(over > 0.0, peak + room * np.tanh(over / room), levels)
    gains = wanted / np.maximum(levels, 1e-30)
    gains[levels == 0.0] = 1.0
    reach = 2 * REACH_PIECES + 1
    held = ndimage.minimum_filter1d(gains, reach, mode="nearest")
    smooth = ndimage.uniform_filter1d(held, reach - 2, mode="nearest")
    _apply(take, np.minimum(smooth, 1.0), piece)
    return True


def _piece_peaks(samples: Samples, piece_frames: int) -> Levels:
    """Largest magnitude of consecutive pieces over all channels, shape = (n_pieces,)."""
    peaks = np.empty(-(-len(samples) // piece_frames))
    n_whole = len(samples) // piece_frames
    for first, last in blocks(0, n_whole, piece_frames * samples.shape[1]):
        part = samples[first * piece_frames : last * piece_frames]
        peaks[first:last] = np.abs(part).reshape(last - first, -1).max(axis=1)
    if n_whole < len(peaks):
        peaks[-1] = _peak(samples[n_whole * piece_frames :])
    return peaks


def _apply(samples: Samples, gains: Levels, piece_frames: int) -> None:
    for start, stop in blocks(0, *samples.shape):
        samples[start:stop] *= gains_between(gains, piece_frames, start, stop)[:, np.newaxis]
