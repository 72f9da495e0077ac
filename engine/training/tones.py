"""Harmonic tones for networks that must keep a pitch: voices, instruments and machines in short.

A corpus has few sustained tones, and each of them has one pitch. Here every pitch is as likely as
any other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.training.corpus import RATE, Wave

#: Fundamentals of half of the tones (speech) and of the other half.
SPEECH_HZ, ALL_HZ = (60.0, 400.0), (80.0, 1800.0)
MOST_HARMONICS, HIGHEST_HZ = 60, 7600.0


def tone(n_samples: int, rng: np.random.Generator) -> tuple[Wave, NDArray[np.float64]]:
    """A tone at some level near -20 dBFS: steady, gliding or with vibrato, coloured at random, held
    or struck, with some noise; and its pitch in Hz. Of 16 kHz, both of shape = (n_samples,)."""
    seconds = np.arange(n_samples) / RATE
    pitch_hz = np.exp(rng.uniform(*np.log(SPEECH_HZ if rng.random() < 0.5 else ALL_HZ)))
    glide = rng.choice((0.0, 0.0, rng.uniform(-0.5, 0.5)))  # octaves a second, nearly
    vibrato, rate_hz = rng.choice((0.0, 0.0, rng.uniform(0, 0.02))), rng.uniform(3, 7)
    hz = pitch_hz * np.exp(glide * seconds) * (1 + vibrato * np.sin(rate_hz * 2 * np.pi * seconds))
    wave = _harmonics(hz, rng)
    wave *= 0.1 / max(wave.std(), 1e-6)
    if rng.random() < 0.4:
        wave *= _struck(n_samples, rng)
    noise_db = rng.uniform(-80, -35)
    wave += rng.standard_normal(n_samples) * 10 ** (noise_db / 20)
    return wave.astype(np.float32), hz


def _harmonics(hz: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    highest = min(int(rng.integers(1, MOST_HARMONICS)), int(HIGHEST_HZ / hz.max()))
    colour = np.exp(rng.normal(0, 1.0, 10))  # of bands of some 900 Hz
    tilt, step = rng.uniform(0.2, 1.6), 2 if rng.random() < 0.15 else 1  # odd ones alone: clarinets
    wave = np.zeros(len(hz))
    for harmonic in range(1, max(highest, 1) + 1, step):
        gain = np.interp(harmonic * hz.mean(), np.linspace(0, RATE / 2, len(colour)), colour)
        wave += gain * harmonic**-tilt * np.sin(harmonic * phase + rng.uniform(0, 2 * np.pi))
    return wave


def _struck(n_samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    since = np.arange(n_samples) - rng.uniform(0, 0.5) * n_samples
    attack = np.clip(since / rng.uniform(30, 2000), 0, 1)
    shape: NDArray[np.float64] = attack * np.exp(
        -np.clip(since, 0, None) / rng.uniform(2000, 30000)
    )
    return shape
