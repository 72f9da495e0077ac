"""Hybrid rendering: the model's change as a time-frequency gain on the source itself.

The decoded source and the decoded result differ by a gain G(t, f), read off their mels. Applied to
the source's own spectrum it keeps the source's phase, stereo image and everything above the model's
band. What no bearable gain can make of the source (target far above it) comes from the vocoder::

    take = source + (G - 1) · source + missing · vocoder         missing² + (G / target gain)² = 1

A moment that has turned into another sound altogether (mels 10 to 24 dB apart over the whole band)
goes over to the vocoder's sound, whose partials and grain are the new ones; below that the source's
own stay.

Both decodings pass through the same VAE, so its faults cancel; where nothing changes G is 1 and the
source passes untouched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage  # type: ignore[import-untyped]

from engine.mel_scale import hertz, mels
from engine.model_input import ModelInput
from engine.onsets import hold_before_onsets
from engine.own_sound import OwnSound
from engine.progress import OnPart, unheard
from engine.samples import Samples
from engine.stft import BlockStft

DB = np.log(10.0) / 20.0  # one decibel, as the natural log of a magnitude
#: Gains run free up to the first figure and bend towards the second.
BOOST_DB, MOST_BOOST_DB = 9.0, 15.0
CUT_DB, MOST_CUT_DB = 30.0, 40.0
#: Log-mel under which there is nothing but the decoder's own noise: 60 dB under full-band noise.
QUIET = -9.5
#: Frames (deviation of a bell) over which gains are smoothed: mels look at 64 ms and come every 10,
#: so what jitters faster is the decoder's own, and costs words.
SMOOTH_FRAMES = 1.5
#: Mean change over the band from which a moment goes over to the vocoder's sound, and where it has.
TURN_DB, TURNED_DB = 10.0, 24.0
#: Change is averaged over so much time before it counts as a turn.
TURN_S = 0.2
#: Boost above the model's band, where the model can't hear what it boosts: free, and at most.
BOOST_ABOVE_DB, MOST_BOOST_ABOVE_DB = 3.0, 6.0

Grid = npt.NDArray[np.float32]
Axis = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spectra:
    """Log-mels of source and result, both decoded by the VAE, over the whole span of a ModelInput.

    Parameters
    ----------
    mel_source, mel_result : ndarray of float32, shape = (n_frames, n_mels)
        Natural log of Slaney mel magnitudes; frame k is centred on sample k * hop + hop / 2.
    hop_samples : int
        Model samples from one mel frame to the next.
    low_hz, high_hz : float
        The mel bank's ends.
    """

    mel_source: Grid
    mel_result: Grid
    hop_samples: int
    low_hz: float
    high_hz: float

    @property
    def centres_hz(self) -> Axis:
        """Centre of every mel bin, shape = (n_mels,)."""
        low, high = mels(np.array([self.low_hz, self.high_hz]))
        return hertz(np.linspace(low, high, self.mel_source.shape[1] + 2)[1:-1])


def bend(log_gain: Grid, boost_db: float = BOOST_DB, most_db: float = MOST_BOOST_DB) -> Grid:
    """Gains limited softly to -40 and +15 dB, or another most; natural log in and out."""
    gain_db = np.asarray(log_gain / DB, np.float32)
    over, under = boost_db, -CUT_DB
    above = over + _saturate(gain_db - over, most_db - boost_db)
    below = under - _saturate(under - gain_db, MOST_CUT_DB - CUT_DB)
    bent = np.where(gain_db > over, above, np.where(gain_db < under, below, gain_db)) * DB
    return np.asarray(bent, np.float32)


def _saturate(excess: Grid, most: float) -> Grid:
    return np.asarray(most * np.tanh(np.maximum(excess, 0.0) / most), np.float32)


def _turned(log_gain: Grid, smooth_frames: float) -> Grid:
    """How far each moment has turned into another sound, 0 to 1, shape = (n_frames, 1)."""
    change_db = np.minimum(np.abs(log_gain / DB), MOST_CUT_DB)
    mean_db = np.sqrt(np.square(change_db).mean(axis=1, keepdims=True))
    smooth_db = ndimage.uniform_filter1d(mean_db, max(1, round(smooth_frames)), 0, mode="nearest")
    way = np.clip((smooth_db - TURN_DB) / (TURNED_DB - TURN_DB), 0.0, 1.0)
    return np.asarray(way * way * (3.0 - 2.0 * way), np.float32)  # smooth at both ends


class ChangeGrid:
    """The model's change on the grid of a host-rate STFT.

    Parameters
    ----------
    spectra : Spectra
    model : ModelInput
    stft : BlockStft
        Of the region, at its rate.
    """

    def __init__(self, spectra: Spectra, model: ModelInput, stft: BlockStft) -> None:
        quiet = np.float32(np.exp(QUIET))
        # With a floor under both, silence that stays silence gets a gain of 1, not decoder noise.
        wanted = np.log(
            (np.exp(spectra.mel_result) + quiet) / (np.exp(spectra.mel_source) + quiet)
        ).astype(np.float32)
        wanted = ndimage.gaussian_filter1d(wanted, SMOOTH_FRAMES, axis=0, mode="nearest")
        bent = bend(wanted)
        turned = _turned(wanted, TURN_S * model.rate / spectra.hop_samples)
        own_power = np.minimum(np.exp(bent - wanted), 1.0) ** 2 * (1.0 - turned)
        centres_hz = spectra.centres_hz
        top = bent[:, centres_hz >= spectra.high_hz / 2].mean(axis=1, keepdims=True)
        # One more column stands for everything above the band: the gain of the top octave.
        own = bent + 0.5 * np.log(np.maximum(1.0 - turned, 1e-4))
        self._log_gain = np.hstack([own, bend(top, BOOST_ABOVE_DB, MOST_BOOST_ABOVE_DB)])
        missing = np.sqrt(1.0 - own_power)
        self._missing = np.hstack([missing, np.zeros_like(missing[:, :1])])
        self._stft, self._model, self._hop_samples = stft, model, spectra.hop_samples
        bins = np.append(centres_hz, 1.1 * spectra.high_hz)
        places = np.interp(stft.frequencies_hz, bins, np.arange(len(bins)))
        self._bin, self._bin_share = _split(places, len(bins))

    def at(self, windows: range) -> tuple[Grid, Grid]:
        """(G - 1, missing) at some windows, each of shape (n_windows, n_bins)."""
        model = self._model
        frames = model.before_frames + self._stft.centres_frames(windows)
        places = frames * (model.rate / model.host_rate) / self._hop_samples - 0.5
        first, share = _split(places, len(self._log_gain))
        log_gain = self._interpolated(self._log_gain, first, share)
        return np.expm1(log_gain), self._interpolated(self._missing, first, share)

    def _interpolated(self, grid: Grid, first: npt.NDArray[np.intp], share: Grid) -> Grid:
        rows = _lerp(grid[first], grid[np.minimum(first + 1, len(grid) - 1)], share[:, None])
        right = np.minimum(self._bin + 1, grid.shape[1] - 1)
        # Not by a product of matrices: one so small has BLAS wake its threads for every block.
        return _lerp(rows.take(self._bin, axis=1), rows.take(right, axis=1), self._bin_share)


def _split(places: npt.NDArray[np.float64], count: int) -> tuple[npt.NDArray[np.intp], Grid]:
    """Whole part and rest of places on a grid of `count` points, held inside it."""
    places = np.clip(places, 0, count - 1)
    whole = np.floor(places).astype(np.intp)
    return whole, (places - whole).astype(np.float32)


def _lerp(left: Grid, right: Grid, share: Grid) -> Grid:
    mixed: Grid = left + (right - left) * share
    return mixed


def hybrid_change(
    own: OwnSound,
    model: ModelInput,
    wave: Samples,
    spectra: Spectra,
    on_part: OnPart = unheard,
) -> Samples:
    """What hybrid rendering adds to a region, shape = (n_frames, n_channels).

    Parameters
    ----------
    own : OwnSound
        The region's.
    model : ModelInput
        Made from the region.
    wave : ndarray of float32, shape = (n_frames,)
        The vocoder's answer for the region, at the host's rate and level.
    spectra : Spectra
    on_part : callable
        Called for every few seconds of sound.
    """
    stft, change = own.stft, np.zeros(own.samples.shape, np.float32)
    grid = ChangeGrid(spectra, model, stft)
    for windows in stft.blocks():
        gain_less_one, missing = grid.at(windows)
        fresh = stft.analyse(wave, windows) * missing
        for channel, source in enumerate(own.spectra(windows)):
            added = source.own * gain_less_one + fresh * source.place
            stft.add(change[:, channel], added, windows)
        on_part(windows.stop / stft.n_windows)
    hold_before_onsets(change, own.onsets)
    return change
