"""Slaney's mel scale: linear to 1000 Hz (15 mel), then 27 steps for a factor of 6.4. No torch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Axis = npt.NDArray[np.float64]


def mels(hz: npt.ArrayLike) -> Axis:
    """Mels of frequencies of any shape, in Hz, none below 0."""
    hz = np.asarray(hz, np.float64)
    log_part = 15 + np.log(np.maximum(hz, 1000.0) / 1000.0) * 27 / np.log(6.4)
    return np.where(hz < 1000.0, hz * 3 / 200, log_part)


def hertz(mel: npt.ArrayLike) -> Axis:
    """Frequencies of mels of any shape, in Hz."""
    mel = np.asarray(mel, np.float64)
    log_part = 1000.0 * np.exp(np.maximum(mel - 15, 0.0) * np.log(6.4) / 27)
    return np.where(mel < 15, mel * 200 / 3, log_part)
