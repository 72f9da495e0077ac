"""The vocoder's loss on autocorrelations, on tones whose periods are known."""

from __future__ import annotations

import torch

from engine.training.corpus import RATE
from engine.training.spectral import PERIODS, autocorrelation, periodicity_distance


def test_periodicity_tells_a_pitch_from_noise_and_hears_it_move() -> None:
    seconds, rng = torch.arange(8000) / RATE, torch.Generator().manual_seed(0)
    harmonics = torch.arange(1, 9)[:, None]

    def tone(hz: float) -> torch.Tensor:
        return torch.sin(2 * torch.pi * hz * harmonics * seconds).mean(0)[None]

    noise = torch.randn(1, 8000, generator=rng)
    peaks = autocorrelation(tone(200.0)).amax(-1)
    assert peaks.min() > 0.99
    periods = autocorrelation(tone(200.0)).argmax(-1) + PERIODS[0]
    assert (periods % 80 == 0).all()
    assert autocorrelation(noise).amax(-1).max() < 0.5
    assert autocorrelation(torch.zeros(1, 8000)).abs().max() == 0
    assert periodicity_distance(tone(200.0), tone(200.0)) == 0
    assert periodicity_distance(0.5 * noise, noise) < 1e-4  # noise has no pitch to be missed
    assert periodicity_distance(tone(100.0), noise) > 0.5  # but should have none
    near, far = (periodicity_distance(tone(hz), tone(200.0)) for hz in (201.0, 230.0))
    assert 0 < near < 0.5 * far
    assert periodicity_distance(noise, tone(200.0)) > far
