"""No sound before its cause: what rendering adds is held back until the source's onset.

A mel frame looks 32 ms to either side and a rendering window 10 ms, so a change that belongs to an
onset starts to sound before it. There it may be no louder than what the source's own sound, gained
as far as gains go, and the new sound of just before account for::

    source       ____________|\\__
    change       ______..--~~|\\__
    held back    ____________|\\__
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage  # type: ignore[import-untyped]

from engine.levels import gains_between
from engine.samples import Samples, blocks

#: Levels are taken in pieces of a millisecond.
PIECE_S = 0.001
#: A rise of 15 dB over the loudest of the last 15 ms is an onset, if it reaches 50 dB under the
#: clip's loudest piece.
RISE, BEFORE_PIECES, LEAST = 5.6, 15, 0.003
#: Pieces before an onset in which the change is held back, and those that say how loud it was.
HELD_PIECES, HEARD_PIECES = 44, 40
#: Most that the source's own sound is raised, as a magnitude (15 dB), and the slack of an envelope.
MOST_BOOST = 5.6

Levels = npt.NDArray[np.float64]


class Onsets:
    """Levels of one channel of a source, piece by piece, and the pieces at which its sounds begin.

    Parameters
    ----------
    wave : ndarray of float32, shape = (n_frames,)
        Silence has no onsets; NaN is not looked for.
    rate : int
    """

    def __init__(self, wave: Samples, rate: int) -> None:
        self.piece_frames = max(1, round(PIECE_S * rate))
        self.levels = _levels(wave, self.piece_frames)
        self.pieces = find_onsets(self.levels)


def hold_before_onsets(change: Samples, onsets: Sequence[Onsets]) -> None:
    """Turn a change down just before the onsets of its source, in place.

    Parameters
    ----------
    change : ndarray of float32, shape = (n_frames, n_channels)
    onsets : sequence of Onsets
        Every channel is held by its own.
    """
    for wave, own in zip(change.T, onsets, strict=True):
        if len(own.pieces):
            gains = _held(_levels(wave, own.piece_frames), own.levels, own.pieces)
            _apply(wave, gains, own.piece_frames)


def find_onsets(levels: Levels) -> npt.NDArray[np.intp]:
    """Pieces at which a level jumps, shape = (n_onsets,)."""
    past = ndimage.maximum_filter1d(
        levels, BEFORE_PIECES, origin=BEFORE_PIECES // 2, mode="constant", cval=0.0
    )
    past = np.concatenate([[0.0], past[:-1]])  # up to the piece before
    past[0] = np.inf  # nothing comes before the first one
    jumps = (levels > RISE * past) & (levels > LEAST * levels.max(initial=0.0))
    return np.flatnonzero(jumps)


def _levels(wave: Samples, piece_frames: int) -> Levels:
    """RMS of consecutive pieces, shape = (n_pieces,); the last one may be short."""
    levels = np.empty(-(-len(wave) // piece_frames))
    whole = len(wave) // piece_frames * piece_frames
    for first, last in blocks(0, whole // piece_frames, piece_frames):
        part = wave[first * piece_frames : last * piece_frames].reshape(-1, piece_frames)
        levels[first:last] = np.square(part, dtype=np.float64).mean(axis=1)
    if whole < len(wave):
        levels[-1] = np.square(wave[whole:], dtype=np.float64).mean()
    return np.sqrt(levels)


def _held(change: Levels, source: Levels, onsets: npt.NDArray[np.intp]) -> Levels:
    """Gains of the change, a piece each: 1 but before onsets."""
    gains = np.ones(len(change))
    for onset in onsets:
        first = max(0, onset - HELD_PIECES)
        heard = np.square(change[max(0, first - HEARD_PIECES) : first])
        going_on = np.sqrt(heard.mean()) if len(heard) else 0.0
        allowed = MOST_BOOST * source[first:onset] + going_on
        held = np.minimum(1.0, allowed / np.maximum(change[first:onset], 1e-30))
        gains[first:onset] = np.minimum(gains[first:onset], held)
    return gains


def _apply(wave: Samples, gains: Levels, piece_frames: int) -> None:
    """Multiply a wave by gains that go straight from each piece's middle to the next, in place."""
    for start, stop in blocks(0, len(wave), 1):
        if (gains[start // piece_frames : stop // piece_frames + 1] != 1.0).any():
            wave[start:stop] *= gains_between(gains, piece_frames, start, stop)
