"""How much of a change is heard where: nothing at all where the strength is 0.

A renderer answers for the whole span; what lies in a stretch of strength 0 is the source's own
sample, to the bit, and in a band of strength 0 its own sound, to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage  # type: ignore[import-untyped]

from engine.painted import Painted
from engine.samples import Samples, blocks
from engine.stft import BlockStft

#: Under this strength a change fades away with it.
FAINT = 0.05
#: Shares are taken in pieces, and never rise from 0 to 1 in less than two reaches.
PIECE_S, REACH_PIECES = 0.001, 4

Share = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Touch:
    """Where an edit works, from its own strengths.

    Parameters
    ----------
    curve : sequence of (seconds, strength)
        Empty for the same strength all along.
    painted : Painted, optional
    """

    curve: Sequence[tuple[float, float]] = ()
    painted: Painted | None = None

    @property
    def is_everywhere(self) -> bool:
        """Whether nothing at all is left out."""
        return not self.curve and self.painted is None

    @property
    def is_over_frequency(self) -> bool:
        """Whether some frequencies are touched more than others."""
        return self.painted is not None and self.painted.is_over_frequency

    def over_time(self, n_frames: int, rate: int) -> Share:
        """Share of the change at every frame, shape = (n_frames,); 0 where the strength is."""
        piece = max(1, round(PIECE_S * rate))
        n_pieces = -(-n_frames // piece)
        edges = np.arange(n_pieces + 1) * (piece / rate)
        strength = np.ones(n_pieces + 1)
        if self.curve:
            at_s, values = np.array(self.curve).T
            strength *= np.interp(edges, at_s, values)
        if self.painted is not None:
            most = self.painted.values.max(axis=1)
            strength *= np.interp(edges, self.painted.times_s, most)
        share = np.minimum(strength / FAINT, 1.0)
        width = 2 * REACH_PIECES + 1
        share = ndimage.minimum_filter1d(share, width, mode="nearest")
        share = ndimage.uniform_filter1d(share, width, mode="nearest")
        # Running sums leave dust, and a stretch of strength 0 may end within a piece.
        share[ndimage.binary_dilation(strength == 0.0)] = 0.0
        frames = np.empty(n_frames, np.float32)
        for start, stop in blocks(0, n_frames, 1):
            frames[start:stop] = np.interp(
                np.arange(start, stop), np.arange(n_pieces + 1) * piece, share
            )
        return frames

    def keep_bands(self, change: Samples, rate: int) -> Samples:
        """A change less what lies in bands of strength 0, shape = (n_frames, n_channels)."""
        assert self.painted is not None
        stft = BlockStft(len(change), rate)
        kept = np.zeros_like(change)
        for windows in stft.blocks():
            times_s = stft.centres_frames(windows) / rate
            strength = self.painted.at(times_s, stft.frequencies_hz)
            share = np.minimum(strength / np.float32(FAINT), 1.0)
            for channel in range(change.shape[1]):
                spectra = stft.analyse(change[:, channel], windows)
                stft.add(kept[:, channel], spectra * share, windows)
        return kept


def blend(take: Samples, source: Samples, share: Share) -> None:
    """As much of a take as `share` says, in place; where it is 0 the source, to the bit."""
    for start, stop in blocks(0, *take.shape):
        part, own = share[start:stop, np.newaxis], source[start:stop]
        mixed = own + part * (take[start:stop] - own)
        take[start:stop] = np.where(
            part == 1.0, take[start:stop], np.where(part == 0.0, own, mixed)
        )
