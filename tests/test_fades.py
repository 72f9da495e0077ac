"""Joins between sounds."""

from __future__ import annotations

import numpy as np
import pytest
from signals import (
    db,
    noise,
    tone,
)

from engine.fades import crossfade, extrapolate
from engine.loudness import rms


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
def test_crossfades_keep_the_power(alike: float) -> None:
    old, other = noise(200000, seed=1), noise(200000, seed=2)
    new = (alike * old + np.sqrt(1 - alike**2) * other).astype(np.float32)
    mixed = crossfade(old, new)
    for part in np.split(mixed, 10):
        assert db(rms(part) / 0.1) == pytest.approx(0, abs=0.2)


def test_a_tone_is_extrapolated() -> None:
    whole = tone(6000, 44100, 500.0)[:, None]
    ahead = extrapolate(whole[:5000], 500)
    assert np.abs(ahead[:200] - whole[5000:5200]).max() < 0.05
    assert rms(ahead) <= rms(whole)
    hiss = extrapolate(noise(4410), 4410)
    assert db(rms(hiss) / 0.1) == pytest.approx(0, abs=2)
    assert not extrapolate(np.zeros((100, 2), np.float32), 50).any()
    assert extrapolate(np.zeros((0, 2), np.float32), 5).shape == (5, 2)
