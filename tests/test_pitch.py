"""The pitch a vocoder is taught to name is the one that is there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.harmonics import N_PITCHES, class_hz, read_pitch
from engine.training.corpus import RATE
from engine.training.pitch import SPREAD_CLASSES, heard_pitch, pitch_loss
from engine.training.tones import tone

N, HOP = 10240, 160


@pytest.mark.parametrize("hz", [70.0, 110.0, 196.0, 261.6, 440.0, 587.3])
def test_steady_tones_are_heard_within_half_a_percent(hz: float) -> None:
    t = torch.arange(N) / RATE
    wave = 0.1 * sum(torch.sin(2 * np.pi * k * hz * t + k) / k for k in range(1, 9))
    heard = heard_pitch(wave[None], N // HOP)[0]
    told = heard[~heard.isnan()]
    assert len(told) > N // HOP // 2
    assert torch.allclose(told, torch.full_like(told, hz), rtol=5e-3)


def test_noise_has_none_and_a_high_whistle_is_left_open() -> None:
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(1, N)) * 0.1).float()
    heard = heard_pitch(noise, N // HOP)[0]
    assert (heard[~heard.isnan()] == 0).all()
    assert (heard == 0).float().mean() > 0.7
    whistle = 0.1 * torch.sin(2 * np.pi * 1500 * torch.arange(N) / RATE)
    assert heard_pitch(whistle[None], N // HOP).isnan().all()
    assert not heard_pitch(torch.zeros(1, N), N // HOP).nan_to_num().any()


def test_gliding_tones_are_heard_where_they_are() -> None:
    rng, apart = np.random.default_rng(2), []
    for _ in range(30):
        wave, hz = tone(N, rng)
        heard = heard_pitch(torch.from_numpy(wave)[None], N // HOP)[0].numpy()
        there = hz[HOP // 2 :: HOP]
        told = (heard > 0) & (there < 600) & (there > 55)
        apart += list(np.abs(np.log2(heard[told] / there[told])))
    assert len(apart) > 300
    assert np.mean(np.array(apart) < 0.03) > 0.8  # of the rest, most are an octave off


def test_the_loss_is_least_where_the_pitch_is_named() -> None:
    hz = torch.tensor([[110.0, 0.0, float("nan"), 440.0]])
    named = torch.full((1, 4, N_PITCHES + 1), -5.0)
    log_hz = class_hz().log()
    spread = SPREAD_CLASSES * float(log_hz[1] - log_hz[0])
    for frame, pitch in ((0, 110.0), (3, 440.0)):
        near = (log_hz - np.log(pitch)).square()
        named[0, frame, :N_PITCHES] = -near / (2 * spread**2)
    named[0, 1, N_PITCHES] = 9.0
    assert torch.allclose(read_pitch(named)[0, [0, 3]], torch.tensor([110.0, 440.0]), rtol=3e-3)
    mistaken = named.roll(3, -1)
    assert float(pitch_loss(named, hz)) + 1 < float(pitch_loss(mistaken, hz))
    blank = named.clone()
    blank[0, 2] = torch.randn(N_PITCHES + 1)
    assert torch.equal(pitch_loss(blank, hz), pitch_loss(named, hz))
    assert float(pitch_loss(named, torch.full((1, 4), float("nan")))) == 0.0
