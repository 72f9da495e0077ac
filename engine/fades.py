"""Joins: equal-power crossfades, and how a sound would have gone on for a moment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import linalg, signal  # type: ignore[import-untyped]

from engine.samples import Samples

#: Crossfade at the edge of a hole, and the fade where a sound begins or ends in nothing.
CROSSFADE_S, OPEN_FADE_S = 0.02, 0.005
#: What an extrapolation listens to, and how many past samples predict the next.
HISTORY_S, MOST_TAPS = 0.1, 512

Curve = npt.NDArray[np.float32]


def crossfade(leaving: Samples, coming: Samples) -> Samples:
    """From one sound to another over their whole length, at constant power.

    Two unrelated sounds add up in power, two alike ones in amplitude; the curves are scaled by how
    alike the two are, so that the middle is neither a dip nor a bump.

    Parameters
    ----------
    leaving, coming : ndarray of float32, shape = (n_frames, n_channels)
        0 frames give 0 frames; silence on either side is fine.
    """
    angle = (np.arange(len(leaving)) + 0.5) * (np.pi / 2 / max(1, len(leaving)))
    fall, rise = np.cos(angle), np.sin(angle)
    mixed = np.empty_like(leaving)
    for channel in range(leaving.shape[1]):
        old, new = leaving[:, channel], coming[:, channel]
        scale = 1.0 / np.sqrt(1.0 + 2.0 * fall * rise * likeness(old, new))
        mixed[:, channel] = (old * fall + new * rise) * scale
    return mixed


def likeness(first: Samples, second: Samples) -> float:
    """Correlation of two waves, held between 0 and 1; 0 where either is silent."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    power = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float(np.clip((a * b).sum() / power, 0.0, 1.0)) if power > 0.0 else 0.0


def fade_in(n_frames: int) -> Curve:
    """A rise from nothing to 1 (raised cosine), shape = (n_frames, 1)."""
    angle = (np.arange(n_frames) + 0.5) * (np.pi / max(1, n_frames))
    rise: Curve = (0.5 - 0.5 * np.cos(angle)).astype(np.float32)[:, np.newaxis]
    return rise


def extrapolate(history: Samples, n_frames: int) -> Samples:
    """How a sound would go on for a moment: its tones in phase, its noise at the same level.

    Linear prediction (autocorrelation method, so it never grows), driven by what the prediction
    missed in the past, backwards.

    Parameters
    ----------
    history : ndarray of float32, shape = (n, n_channels)
        What came before; 0 frames and silence give silence.
    n_frames : int

    Returns
    -------
    samples : ndarray of float32, shape = (n_frames, n_channels)
    """
    ahead = np.zeros((n_frames, history.shape[1]), np.float32)
    n_taps = min(len(history) // 3, MOST_TAPS)
    for channel in range(history.shape[1]):
        past = history[:, channel].astype(np.float64)
        if n_taps and past.any():
            ahead[:, channel] = _predicted(past, n_taps, n_frames)
        elif len(past):
            ahead[:, channel] = past[-1]
    return ahead


def _predicted(past: npt.NDArray[np.float64], n_taps: int, n_frames: int) -> Curve:
    peak = np.abs(past).max()
    scaled = past / peak
    power = signal.correlate(scaled, scaled, mode="full", method="fft")[len(scaled) - 1 :]
    power[0] *= 1.0 + 1e-9  # keeps the equations solvable for a pure tone
    taps = linalg.solve_toeplitz(power[:n_taps], power[1 : n_taps + 1])
    error_filter = np.append(1.0, -taps)
    missed = signal.lfilter(error_filter, [1.0], scaled)[n_taps:]
    usual = 1.5 * np.median(np.abs(missed))
    drive = np.clip(missed, -2.5 * usual, 2.5 * usual)[::-1]  # no attack is heard twice
    drive = np.resize(drive, n_frames)
    state = signal.lfiltic([1.0], error_filter, scaled[::-1][:n_taps])
    ahead, _ = signal.lfilter([1.0], error_filter, drive, zi=state)
    return np.asarray(ahead * peak, np.float32)
