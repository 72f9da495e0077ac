"""A short-time Fourier transform that works in blocks, so its memory does not grow with the clip.

Windows of 21 ms overlap by three quarters. The root of a Hann window is applied on the way in and
on the way out, so that overlapping windows add up to a constant::

    window k       ____/‾‾\\____
    window k+1         ____/‾‾\\____          window k covers frames
    ...                                      [k * hop - 3 * hop, k * hop + hop)

Every frame of the signal, the first and the last too, lies under exactly four windows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import fft  # type: ignore[import-untyped]

from engine.samples import Samples

Bins = npt.NDArray[np.complex64]

#: Length of a window: short enough for transients, long enough to part low partials.
WINDOW_S = 0.0213
OVERLAP = 4
#: Windows worked on at once.
BLOCK_WINDOWS = 256


class BlockStft:
    """Analysis and overlap-add synthesis of a signal of `n_frames` frames at `rate`.

    Without change between `analyse` and `add` the signal comes back to -120 dB.
    """

    def __init__(self, n_frames: int, rate: int) -> None:
        self.n_frames, self.rate = n_frames, rate
        self.hop: int = fft.next_fast_len(max(2, round(WINDOW_S * rate / OVERLAP)), real=True)
        self.window_frames = OVERLAP * self.hop
        self.n_windows = -(-n_frames // self.hop) + OVERLAP - 1
        phase = np.arange(self.window_frames) * (np.pi / self.window_frames)
        self._window = np.sin(phase).astype(np.float32)  # the root of a Hann window

    @property
    def frequencies_hz(self) -> npt.NDArray[np.float64]:
        """Centre of every bin, shape = (n_bins,)."""
        bins = np.arange(self.window_frames // 2 + 1, dtype=np.float64)
        return np.asarray(bins * (self.rate / self.window_frames))

    def blocks(self) -> Iterator[range]:
        """The windows, in order, in ranges of at most BLOCK_WINDOWS."""
        for first in range(0, self.n_windows, BLOCK_WINDOWS):
            yield range(first, min(first + BLOCK_WINDOWS, self.n_windows))

    def start_frames(self, window: int) -> int:
        """First frame under a window; before 0 for the first ones."""
        return (window - OVERLAP + 1) * self.hop

    def centres_frames(self, windows: range) -> npt.NDArray[np.float64]:
        """Where the middle of every window lies, shape = (n_windows,)."""
        starts = (np.arange(windows.start, windows.stop) - OVERLAP + 1) * self.hop
        return np.asarray(starts + self.window_frames / 2)

    def analyse(self, signal: Samples, windows: range) -> Bins:
        """Spectra of some windows of a signal, shape = (n_windows, n_bins)."""
        start = self.start_frames(windows.start)
        stop = self.start_frames(windows.stop - 1) + self.window_frames
        piece = np.zeros(stop - start, np.float32)
        inside = slice(max(start, 0), min(stop, self.n_frames))
        piece[inside.start - start : inside.stop - start] = signal[inside]
        framed = np.lib.stride_tricks.sliding_window_view(piece, self.window_frames)[:: self.hop]
        spectra: Bins = fft.rfft(framed * self._window, axis=1)
        return spectra

    def add(self, signal: Samples, spectra: Bins, windows: range) -> None:
        """Add the sound of some windows to a signal, in place."""
        framed = fft.irfft(spectra, self.window_frames, axis=1) * (self._window * (2.0 / OVERLAP))
        framed = framed.reshape(len(windows), OVERLAP, self.hop)
        piece = np.zeros((len(windows) + OVERLAP - 1, self.hop), np.float32)
        for part in range(OVERLAP):
            piece[part : part + len(windows)] += framed[:, part]
        start = self.start_frames(windows.start)
        inside = slice(max(start, 0), min(start + piece.size, self.n_frames))
        signal[inside] += piece.ravel()[inside.start - start : inside.stop - start]
