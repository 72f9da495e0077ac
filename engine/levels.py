"""Levels over time: how the channels of a region share its sound, and how loud its edges are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage  # type: ignore[import-untyped]

from engine.samples import Samples, blocks

#: Levels are taken every 20 ms and smoothed over 300 ms.
PIECE_S, SMOOTH_PIECES = 0.02, 15
#: Share of the whole clip's balance: it decides where a moment is silent.
CLIP_SHARE = 1e-3

Weights = npt.NDArray[np.float64]


class ChannelWeights:
    """How much of a one-channel sound each channel of a region gets, over time.

    The mean square of the weights over the channels is 1 at every moment. A channel that is digital
    silence all along gets nothing; where all channels are silent each gets the same.
    """

    def __init__(self, samples: Samples, rate: int) -> None:
        self._piece_frames = max(1, round(PIECE_S * rate))
        powers = piece_powers(samples, self._piece_frames)
        smooth = np.maximum(ndimage.uniform_filter1d(powers, SMOOTH_PIECES, axis=0), 0.0)
        shares = smooth + CLIP_SHARE * powers.mean(axis=0)
        shares = np.where(shares.any(axis=1, keepdims=True), shares, 1.0)
        mean = np.sort(shares, axis=1).mean(axis=1, keepdims=True)
        self._weights: Weights = np.sqrt(shares / mean)  # (n_pieces, n_channels)

    def at(self, frames: npt.NDArray[np.float64], channel: int) -> npt.NDArray[np.float32]:
        """Weights of a channel at some frames, shape = (n,)."""
        centres = (np.arange(len(self._weights)) + 0.5) * self._piece_frames
        return np.interp(frames, centres, self._weights[:, channel]).astype(np.float32)

    def spread(self, wave: Samples) -> Samples:
        """A one-channel wave as channels, shape (n_frames,) to (n_frames, n_channels)."""
        n_channels = self._weights.shape[1]
        spread = np.empty((len(wave), n_channels), np.float32)
        for start, stop in blocks(0, len(wave), 1):
            frames = np.arange(start, stop, dtype=np.float64)
            for channel in range(n_channels):
                spread[start:stop, channel] = wave[start:stop] * self.at(frames, channel)
        return spread


def gains_between(
    gains: npt.NDArray[np.floating], piece_frames: int, start: int, stop: int
) -> npt.NDArray[np.float32]:
    """Gains of pieces as gains of the frames from `start` to before `stop`: each piece's own in its
    middle, straight from one to the next. Shape (n_pieces,) to (stop - start,)."""
    centres = (np.arange(len(gains)) + 0.5) * piece_frames
    found = np.interp(np.arange(start, stop), centres, gains)
    return np.asarray(found, np.float32)


def piece_powers(samples: Samples, piece_frames: int) -> Weights:
    """Mean square of consecutive pieces, shape = (n_pieces, n_channels); the last may be short."""
    n_pieces, n_whole = -(-len(samples) // piece_frames), len(samples) // piece_frames
    powers = np.empty((n_pieces, samples.shape[1]))
    for channel in range(samples.shape[1]):
        for first, last in blocks(0, n_whole, piece_frames):
            part = samples[first * piece_frames : last * piece_frames, channel]
            squares = np.square(part, dtype=np.float64).reshape(last - first, piece_frames)
            powers[first:last, channel] = squares.mean(axis=1)
        if n_whole < n_pieces:
            rest = samples[n_whole * piece_frames :, channel]
            powers[-1, channel] = np.square(rest, dtype=np.float64).mean()
    return powers
