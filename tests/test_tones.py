"""Tones for training have a pitch, whatever else is drawn."""

from __future__ import annotations

import numpy as np

from engine.training.corpus import RATE
from engine.training.tones import ALL_HZ, SPEECH_HZ, tone

N = 10240


def test_tones_are_finite_and_at_a_level() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        wave, hz = tone(N, rng)
        assert (wave.shape, wave.dtype, hz.shape) == ((N,), np.float32, (N,))
        assert np.isfinite(wave).all()
        assert 0.005 < wave.std() < 0.15
        assert np.abs(wave).max() < 1.0


def test_most_tones_repeat_at_their_pitch() -> None:
    rng = np.random.default_rng(1)
    shortest, longest = int(RATE / ALL_HZ[1] / 1.2), int(RATE / SPEECH_HZ[0] * 1.2)
    found = []
    for _ in range(60):
        frame = tone(N, rng)[0][N // 2 : N // 2 + 1280].astype(np.float64)
        head, best = frame[:640], 0.0
        for lag in range(shortest, longest):
            other = frame[lag : lag + 640]
            best = max(best, (head * other).sum() / np.sqrt((head**2).sum() * (other**2).sum()))
        found.append(best)
    assert np.mean(np.array(found) > 0.9) > 0.85
