"""Loudness as pyloudnorm measures it, and matching it."""

from __future__ import annotations

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import (
    db,
    noise,
)

from engine.loudness import gated_powers, integrated_lufs, matching_gain, rms


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
@pytest.mark.parametrize("seconds", [0.4, 0.45, 1.23, 7.7])
@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_loudness_is_pyloudnorms(rate: int, seconds: float, n_channels: int) -> None:
    n_frames = round(rate * seconds)
    samples = noise(n_frames, n_channels) * np.linspace(1e-4, 3, n_frames)[:, None]
    samples = samples.astype(np.float32)
    oracle = pyloudnorm.Meter(rate).integrated_loudness(samples.astype(np.float64))
    assert integrated_lufs(gated_powers(samples, rate)) == pytest.approx(oracle, abs=1e-3)


def test_loudness_of_silence_is_none() -> None:
    assert integrated_lufs(gated_powers(np.zeros((48000, 1), np.float32), 48000)) == -np.inf
    assert integrated_lufs(np.zeros(0)) == -np.inf


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.floats(-90, 20), st.floats(-90, 20), st.sampled_from([1, 500, 20000, 44100]))
def test_matching_matches(level_db: float, wanted_db: float, n_frames: int) -> None:
    samples = noise(n_frames, 2, 10 ** (level_db / 20), seed=1)
    wanted = noise(n_frames, 2, 10 ** (wanted_db / 20), seed=2)
    matched = samples * np.float32(matching_gain(samples, wanted, 44100))
    lufs = [integrated_lufs(gated_powers(s, 44100)) for s in (matched, wanted)]
    if np.isfinite(lufs).all():
        assert lufs[0] == pytest.approx(lufs[1], abs=0.1)
    else:
        assert db(rms(matched) / rms(wanted)) == pytest.approx(0, abs=0.1)


def test_silence_has_no_level_to_match() -> None:
    silence = np.zeros((44100, 1), np.float32)
    assert matching_gain(silence, noise(44100), 44100) == 1.0
    assert matching_gain(noise(44100), silence, 44100) == 1.0
