"""Air: what sounds above the model's band, lent to new sound by the band below.

A model at 16 kHz makes nothing above 8 kHz; in a clip at 48 kHz its sound would lie under a
blanket. The top octave of the new sound is copied upwards, band after band, at the levels these
bands have around it::

    level   ▇▇▆▆▅▅▅▄│▄▄▄▃│▃▃▂▁          the copies lie as far under the model's
            model   copy  copy          band as the surroundings' highs under theirs

Where the surroundings have no highs, none are added.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage  # type: ignore[import-untyped]

from engine.samples import Samples
from engine.stft import OVERLAP, BlockStft

#: Share of the model's band that its vocoder and the resampler pass in full.
FULL_SHARE = 0.94
#: Width over which the surroundings' spectrum is smoothed.
SMOOTH_HZ = 600.0
#: A copied band is raised by at most this much.
MOST_BOOST_DB = 20.0

Levels = npt.NDArray[np.float64]


def add_air(wave: Samples, around: Samples, rate: int, model_rate: int) -> Samples:
    """A wave with air above the model's band; the band itself is untouched.

    Parameters
    ----------
    wave : ndarray of float32, shape = (n_frames,)
        New sound at the host's rate, with nothing above model_rate / 2. Silence stays silence.
    around : ndarray of float32, shape = (n, n_channels)
        What it shall be as bright as; 0 frames and silence add nothing. The windows' own leakage
        sets a floor some 45 dB under the band.
    rate, model_rate : int
    """
    stft = BlockStft(len(wave), rate)
    top = int(np.searchsorted(stft.frequencies_hz, FULL_SHARE * model_rate / 2))
    n_bins = len(stft.frequencies_hz)
    # A shift by whole fours of bins needs no turn of phase from window to window.
    width = top // 2 // OVERLAP * OVERLAP
    if top >= n_bins - 1 or not width or not around.any():
        return wave
    bins = np.arange(top, n_bins)
    origins = top - width + (bins - top) % width
    wanted, own = _levels(around, rate), _levels(wave[:, np.newaxis], rate)
    wanted *= own[:top].sum() / max(wanted[:top].sum(), 1e-30)
    most = 10 ** (MOST_BOOST_DB / 20)
    scale = np.minimum(np.sqrt(wanted[bins] / np.maximum(own[origins], 1e-30)), most)
    airy = wave.copy()
    for windows in stft.blocks():
        spectra = stft.analyse(wave, windows)
        air = np.zeros_like(spectra)
        air[:, bins] = spectra[:, origins] * scale.astype(np.float32)
        stft.add(airy, air, windows)
    return airy


def _levels(around: Samples, rate: int) -> Levels:
    """Long-term power of all channels by bin, smoothed, shape = (n_bins,)."""
    stft = BlockStft(len(around), rate)
    power = np.zeros((around.shape[1], len(stft.frequencies_hz)))
    for windows in stft.blocks():
        for channel in range(around.shape[1]):
            spectra = stft.analyse(around[:, channel], windows)
            power[channel] += np.square(np.abs(spectra), dtype=np.float64).sum(axis=0)
    total = np.sort(power, axis=0).sum(axis=0)  # sorted: the order of channels doesn't matter
    width = max(1, round(SMOOTH_HZ / stft.frequencies_hz[1]))
    return np.asarray(ndimage.uniform_filter1d(total, width, mode="nearest"))
