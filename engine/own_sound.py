"""What rendering needs to know of a region's own sound: worked out once for all takes and texts."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from threading import Lock

import numpy as np
import numpy.typing as npt

from engine.levels import ChannelWeights
from engine.model_input import SHARE
from engine.onsets import Onsets
from engine.peaks import Level
from engine.samples import Samples
from engine.stft import BLOCK_WINDOWS, Bins, BlockStft

#: Spectra are kept where all of them take no more than this: 20 s of stereo at 48 kHz.
MAX_SPECTRA_BYTES = 2**26
#: Bins of the source under this share of the loudest (-80 dB) say nothing of where it sounds.
IMAGE_FLOOR = 1e-4
#: Length of the pieces whose means tell a constant offset: some periods of the lowest tones.
OFFSET_S = 0.1


def constant_part(samples: Samples, rate: int) -> Samples:
    """Offset of every channel, shape = (n_channels,).

    The median of consecutive pieces' means: what a loud moment's mean is off by chance would, taken
    off everywhere, be a sound where there is silence.
    """
    edges = np.linspace(0, len(samples), max(1, round(len(samples) / rate / OFFSET_S)) + 1)
    pieces = itertools.pairwise(edges.astype(int))
    means = [samples[first:last].mean(axis=0, dtype=np.float64) for first, last in pieces]
    return np.asarray(np.median(means, axis=0), np.float32)


@dataclass(frozen=True, eq=False)
class ChannelSpectra:
    """One channel's own spectra, and the factors that give new sound its place among them all.

    Both of shape = (n_windows, n_bins). Over the channels the factors have a mean square of 1, and
    their levels and phases differ from one another as the channels' own do. Where the source is
    silent they are the channels' weights.
    """

    own: Bins
    place: npt.NDArray[np.float32] | Bins


class OwnSound:
    """A region's own sound. Every part is made when it is first asked for, and then kept.

    Several threads may ask.

    Parameters
    ----------
    samples : ndarray of float32, shape = (n_frames, n_channels)
        The region's; `OwnSound.samples` are these less each channel's constant offset.
    rate : int
    """

    def __init__(self, samples: Samples, rate: int) -> None:
        # A constant offset is no sound: it is neither level nor balance, and no gain applies to it.
        self.samples: Samples = samples - constant_part(samples, rate)
        self.rate = rate
        self.stft = BlockStft(len(samples), rate)
        n_bins = self.stft.window_frames // 2 + 1
        per_channel = 2 * self.stft.n_windows * n_bins * np.dtype(np.complex64).itemsize
        spectra_bytes = per_channel * samples.shape[1]
        self._keeps_spectra = spectra_bytes <= MAX_SPECTRA_BYTES
        #: The most that it comes to hold, its samples among it.
        self.n_bytes: int = samples.nbytes + self._keeps_spectra * spectra_bytes
        self._spectra: dict[int, list[ChannelSpectra]] = {}
        self._lock = Lock()

    @cached_property
    def level(self) -> Level:
        """How loud it is."""
        return Level.of(self.samples, self.rate)

    @cached_property
    def weights(self) -> ChannelWeights:
        """How its channels share it."""
        return ChannelWeights(self.samples, self.rate)

    @cached_property
    def onsets(self) -> list[Onsets]:
        """Where each channel's sounds begin."""
        return [Onsets(channel, self.rate) for channel in self.samples.T]

    @cached_property
    def _loudest_first(self) -> list[int]:
        """Channels in an order that is their own: the one they came in can't be heard."""

        def key(channel: int) -> tuple[float, bytes]:
            wave = np.ascontiguousarray(self.samples[:, channel])
            return -float(np.square(wave, dtype=np.float64).sum()), sha256(wave.data).digest()

        return sorted(range(self.samples.shape[1]), key=key)

    def spectra(self, windows: range) -> list[ChannelSpectra]:
        """Every channel's spectra of a block of windows of `stft`; don't write into them."""
        if not self._keeps_spectra:
            return self._analysed(windows)
        with self._lock:
            if windows.start not in self._spectra:
                self._spectra[windows.start] = self._analysed(windows)
            return self._spectra[windows.start]

    def _analysed(self, windows: range) -> list[ChannelSpectra]:
        assert windows.start % BLOCK_WINDOWS == 0, "not a block of the STFT"
        own = [self.stft.analyse(channel, windows) for channel in self.samples.T]
        image = Image([own[channel] for channel in self._loudest_first])
        centres = self.stft.centres_frames(windows)
        return [
            ChannelSpectra(bins, image.of(bins, self.weights.at(centres, channel)[:, np.newaxis]))
            for channel, bins in enumerate(own)
        ]


class Image:
    """How the source's channels relate, bin by bin: new sound takes the same place among them.

    A factor for each channel, of mean square 1 over the channels, whose levels and phases differ
    from one another as the source's do. One channel, or equal ones, have a factor of 1.

    Parameters
    ----------
    spectra : list of ndarray, shape = (n_windows, n_bins)
        Of the source's channels, loudest first.
    """

    def __init__(self, spectra: list[Bins]) -> None:
        self._carrier: Bins | None = None
        if all(np.array_equal(spectra[0], other) for other in spectra[1:]):
            return
        carrier, power = np.zeros_like(spectra[0]), np.zeros(spectra[0].shape, np.float32)
        for rank, spectrum in enumerate(spectra):
            # A quarter turn apart, so that what overlapping windows average out of the phases of
            # channels that have nothing to do with one another leaves nothing they share.
            carrier += spectrum * np.complex64(SHARE**rank * 1j**rank)
            power += np.square(np.abs(spectrum))
        level = np.sqrt(power / len(spectra))
        sounding = level > IMAGE_FLOOR * max(1e-12, float(level.max()))
        size = np.abs(carrier) * level
        factor = np.conj(carrier) / np.maximum(size, np.float32(1e-30))
        self._carrier = np.where(sounding & (size > 0.0), factor, 0.0).astype(np.complex64)

    def of(self, spectrum: Bins, weight: npt.NDArray[np.float32]) -> Bins | npt.NDArray[np.float32]:
        """The factor of one channel; its weight where the source is silent."""
        if self._carrier is None:
            return weight
        return np.where(self._carrier == 0.0, weight, spectrum * self._carrier)
