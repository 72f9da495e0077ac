"""Signals with a known right answer, and what plays the model in tests of rendering."""

from __future__ import annotations

import numpy as np

from engine.filters import band_taps, filtered
from engine.hybrid import Spectra
from engine.model_input import ModelInput

MODEL_RATE, HOP, N_MELS = 16000, 160, 64
RATES = (8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000)


def noise(n_frames: int, n_channels: int = 1, level: float = 0.1, seed: int = 0) -> np.ndarray:
    """White noise, float32, of an RMS of `level`."""
    made = np.random.default_rng(seed).standard_normal((n_frames, n_channels)) * level
    return made.astype(np.float32)


def tone(n_frames: int, rate: int, hz: float = 440.0, level: float = 0.3) -> np.ndarray:
    """A sine from phase 0, shape = (n_frames,)."""
    return (level * np.sin(2 * np.pi * hz * np.arange(n_frames) / rate)).astype(np.float32)


def db(value: float) -> float:
    """A magnitude in decibels."""
    return 20 * float(np.log10(max(value, 1e-30)))


def spectra(
    model: ModelInput, change_db: np.ndarray | float = 0.0, source_db: float = -20.0
) -> Spectra:
    """Mels of a flat source and of the same changed by so many decibels."""
    n_frames = -(-model.n_samples // HOP)
    source = np.full((n_frames, N_MELS), source_db * np.log(10) / 20, np.float32)
    change = np.broadcast_to(np.asarray(change_db) * np.log(10) / 20, source.shape)
    return Spectra(source, (source + change).astype(np.float32), HOP, 0.0, MODEL_RATE / 2)


def largest_jump(samples: np.ndarray) -> float:
    return float(np.abs(np.diff(samples, axis=0)).max())


def low_passed(n_frames: int, rate: int, cutoff_hz: float, n_channels: int = 1) -> np.ndarray:
    """Noise that ends at a cutoff, and the same noise whole."""
    taps = band_taps(0.0, cutoff_hz, cutoff_hz / 20, rate, 90.0)
    whole = noise(n_frames, n_channels)
    return np.column_stack([filtered(channel, taps) for channel in whole.T])
