"""Linear-phase FIR filters, centred so that they delay nothing, run in blocks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import signal  # type: ignore[import-untyped]

from engine.progress import OnPart, unheard
from engine.samples import Samples, blocks

Taps = npt.NDArray[np.float64]


def band_taps(
    low_hz: float, high_hz: float, transition_hz: float, rate: int, stop_db: float
) -> Taps:
    """An odd number of taps that pass low_hz to high_hz.

    The transitions lie inside the band: at its ends the filter is already `stop_db` down. An end at
    0 Hz, or at or above the Nyquist frequency, is open.

    Parameters
    ----------
    low_hz, high_hz : float
    transition_hz : float
        Made narrower where the band is too small for it.
    rate : int
    stop_db : float
    """
    nyquist = rate / 2
    opens_low, opens_high = low_hz <= 0.0, high_hz >= nyquist * 0.999
    transition = min(transition_hz, (min(high_hz, nyquist) - low_hz) / 3)
    n_taps, beta = signal.kaiserord(stop_db, transition / nyquist)
    edges = [] if opens_low else [low_hz + transition / 2]
    edges += [] if opens_high else [high_hz - transition / 2]
    if not edges:
        return np.ones(1)
    taps: Taps = signal.firwin(
        n_taps | 1, edges, window=("kaiser", beta), pass_zero=opens_low, fs=rate
    )
    return taps


def reach_frames(taps: Taps) -> int:
    """Frames before and after a sample that it is made from."""
    return len(taps) // 2


def filtered(wave: Samples, taps: Taps, on_part: OnPart = unheard) -> Samples:
    """A wave through a filter, nothing delayed; beyond its ends there is silence.

    Parameters
    ----------
    wave : ndarray of float32, shape = (n_frames,)
    taps : ndarray, shape = (n_taps,), n_taps odd
    on_part : callable
        Hears the share that is done after each block; it may raise to stop.
    """
    reach = reach_frames(taps)
    passed = np.empty(len(wave), np.float32)
    for start, stop in blocks(0, len(wave), 1):
        piece = np.zeros(stop - start + 2 * reach)
        first, last = max(0, start - reach), min(len(wave), stop + reach)
        piece[first - start + reach : last - start + reach] = wave[first:last]
        passed[start:stop] = signal.oaconvolve(piece, taps, mode="valid")
        on_part(stop / len(wave))
    return passed
