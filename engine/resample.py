"""Between the host's rate and the model's: soxr, no delay, exact lengths."""

from __future__ import annotations

import numpy as np
import soxr  # type: ignore[import-untyped]

from engine.samples import Samples

#: Waves shorter than this are lengthened by silence before they are resampled.
SHORTEST_MS = 20


def fit_length(wave: Samples, n_samples: int) -> Samples:
    """The wave cut, or padded with silence, to exactly `n_samples` along its first axis."""
    if len(wave) >= n_samples:
        return wave[:n_samples]
    padding = np.zeros((n_samples - len(wave), *wave.shape[1:]), wave.dtype)
    return np.concatenate([wave, padding])


def resample(wave: Samples, from_rate: int, to_rate: int, n_samples: int) -> Samples:
    """A wave at another rate; sample 0 stays at time 0.

    Parameters
    ----------
    wave : ndarray of float32, shape = (n,)
        Silence stays silence; 0 samples become silence. NaN spreads: check before.
    from_rate, to_rate : int
        Samples a second.
    n_samples : int
        Exact length of the answer: cut, or padded with silence.
    """
    # soxr answers a few samples with none at all: silence after them gives the filter its room.
    room = max(len(wave), from_rate * SHORTEST_MS // 1000)
    wave = np.ascontiguousarray(fit_length(wave, room), np.float32)
    if from_rate != to_rate and len(wave):
        wave = soxr.resample(wave, from_rate, to_rate, quality="HQ")
    return fit_length(wave, n_samples)
