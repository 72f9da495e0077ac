"""Resampling and the short-time transform: nothing moves, nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import (
    MODEL_RATE,
    RATES,
    db,
    noise,
    tone,
)

from engine.loudness import rms
from engine.resample import resample
from engine.stft import BlockStft


@pytest.mark.parametrize("rate", RATES)
def test_resampling_moves_nothing(rate: int) -> None:
    heard = resample(tone(rate, rate), rate, MODEL_RATE, MODEL_RATE)
    inside = slice(2000, -2000)
    assert db(rms((heard - tone(MODEL_RATE, MODEL_RATE))[inside, None])) < -110
    back = resample(heard, MODEL_RATE, rate, rate)
    assert db(rms((back - tone(rate, rate))[rate // 8 : -rate // 8, None])) < -110


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("n_frames", [0, 1, 2, 3, 100])
def test_resampling_gives_the_length_asked_for(rate: int, n_frames: int) -> None:
    for wanted in (0, 1, 7, 1000):
        assert len(resample(np.ones(n_frames, np.float32), rate, MODEL_RATE, wanted)) == wanted


def test_one_frame_survives_to_a_faster_rate() -> None:
    assert np.abs(resample(np.ones(1, np.float32), 8000, 16000, 2)).max() > 0.5


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(1, 20000), st.sampled_from(RATES))
def test_windows_add_up_to_the_signal(n_frames: int, rate: int) -> None:
    wave = noise(n_frames)[:, 0]
    stft = BlockStft(n_frames, rate)
    back = np.zeros(n_frames, np.float32)
    for windows in stft.blocks():
        stft.add(back, stft.analyse(wave, windows), windows)
    assert db(float(np.abs(back - wave).max())) < -110


def test_windows_lie_where_they_say() -> None:
    stft = BlockStft(48000, 48000)
    click = np.zeros(48000, np.float32)
    click[20000] = 1.0
    windows = range(stft.n_windows)
    energy = np.abs(stft.analyse(click, windows)).sum(axis=1)
    centre = (energy * stft.centres_frames(windows)).sum() / energy.sum()
    assert abs(centre - 20000) < stft.hop / 4
