"""A first guess of what is missing, on the log-mel, for masked generation to start from.

    hole     |====\\........====|   straight across, bin by bin, from before it to behind it
    highs    the slope of the spectrum under the cutoff goes on above it

Started from noise alone, what is made has the right kind but any level; a guess, noised most of
the way, keeps the level (the shallow reverse process of AudioLDM, section 3.4, on a source that was
made up).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage  # type: ignore[import-untyped]

from engine.masks import Box, Grid

#: Where the reverse process starts from a guess.
HOLE_STRENGTH, HIGHS_STRENGTH = 0.6, 0.5
#: Frames over whose mean a hole's border is taken: single frames of noise are far from it.
BORDER_FRAMES = 13
#: The line of the highs is fitted through so many octaves under the cutoff.
SLOPE_OCTAVES = 1.5
#: A filter's roll-off bends the spectrum this near to the cutoff.
ROLL_OFF = 0.9

Mel = npt.NDArray[np.float32]
Bins = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MelGrid:
    """The frames and bins of a log-mel, in the model's samples and in Hz.

    Parameters
    ----------
    hop_samples, n_fft : int
        Samples a frame, and samples that a frame hears.
    grid : Grid
        The latent grid above it.
    """

    hop_samples: int
    n_fft: int
    grid: Grid

    def centres_hz(self, n_mels: int) -> Bins:
        """The middle of every bin."""
        stride = self.grid.stride
        return np.array([self.grid.frequency((k + 0.5) / stride) for k in range(n_mels)])

    def unknown(self, shape: tuple[int, ...], box: Box) -> npt.NDArray[np.bool_]:
        """Where a log-mel of a shape hears something of a box."""
        frames, centres = np.arange(shape[0]) * self.hop_samples, self.centres_hz(shape[1])
        reach = (self.n_fft - self.hop_samples) / 2
        in_time = (frames + self.hop_samples + reach > box.start_samples) & (
            frames - reach < box.stop_samples
        )
        in_band = (centres >= box.low_hz) & (centres < box.high_hz)
        found: npt.NDArray[np.bool_] = in_time[:, np.newaxis] & in_band
        return found


def across_holes(mel: Mel, boxes: Sequence[Box], where: MelGrid) -> Mel:
    """A log-mel with a line drawn across every box, bin by bin.

    Parameters
    ----------
    mel : ndarray, shape = (n_frames, n_mels)
        Finite.
    boxes : sequence of Box
    where : MelGrid

    Returns
    -------
    guess : ndarray, shape of `mel`
        At the span's ends, what is heard on the one side goes on; a bin that has nothing outside
        the boxes stays as it is.
    """
    unknown = np.zeros(mel.shape, bool)
    for box in boxes:
        unknown |= where.unknown(mel.shape, box)
    borders = _mean_of_known(mel, ~unknown)
    guess, frames = mel.copy(), np.arange(len(mel))
    for k in np.flatnonzero(unknown.any(axis=0) & ~unknown.all(axis=0)):
        gap = unknown[:, k]
        guess[gap, k] = np.interp(frames[gap], frames[~gap], borders[~gap, k])
    return guess


def _mean_of_known(mel: Mel, known: npt.NDArray[np.bool_]) -> Mel:
    """Running means over the frames that are known."""
    sums = ndimage.uniform_filter1d(np.where(known, mel, 0.0), BORDER_FRAMES, axis=0)
    shares = ndimage.uniform_filter1d(known.astype(np.float32), BORDER_FRAMES, axis=0)
    means: Mel = sums / np.maximum(shares, 1e-6)
    return means


def highs_goes_on(mel: Mel, cutoff_hz: float, where: MelGrid) -> Mel:
    """A log-mel whose bins above a cutoff follow the slope of those under it, frame by frame.

    The slope is a straight line in dB over octaves, fitted through an octave and a half; it falls
    or is level.

    Parameters
    ----------
    mel : ndarray, shape = (n_frames, n_mels)
        Finite.
    cutoff_hz : float
        With fewer than two bins to fit, the bin under it goes on.
    where : MelGrid
    """
    centres = where.centres_hz(mel.shape[1])
    above = centres > ROLL_OFF * cutoff_hz
    below = ~above & (centres > cutoff_hz / 2**SLOPE_OCTAVES)
    guess = mel.copy()
    if not below.any():
        return guess
    octaves = np.log2(centres)
    heard, at = mel[:, below], octaves[below] - octaves[below].mean()
    slope = heard @ at / max(float((at**2).sum()), 1e-9)
    beyond = octaves[above] - octaves[below].mean()
    level = heard.mean(axis=1, keepdims=True)
    guess[:, above] = level + np.minimum(slope, 0.0)[:, np.newaxis] * beyond
    floored: Mel = np.maximum(guess, mel.min())
    return floored
