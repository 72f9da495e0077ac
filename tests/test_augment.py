"""What CLAP's audio tower must not mind: speed, place, colour, noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.training import augment

N = 8000
SHORT = np.sin(np.arange(500) * 0.3).astype(np.float32)


@pytest.mark.parametrize("n_samples", [1, 7, 500, N // 2 - 1, N // 2, N - 1, N, 3 * N])
def test_every_clip_fills_the_window(n_samples: int) -> None:
    rng = np.random.default_rng(n_samples)
    clip = rng.standard_normal(n_samples).astype(np.float32)
    for _ in range(20):
        wave = augment.in_window(augment.at_some_speed(clip, rng), N, rng)
        assert (wave.shape, wave.dtype) == ((N,), np.float32)
        assert np.isfinite(wave).all()
        assert np.abs(wave).max() > 0


def test_a_short_clip_is_repeated_as_at_run_time_or_placed_in_silence() -> None:
    rng = np.random.default_rng(0)
    silent = np.array([(augment.in_window(SHORT, N, rng) == 0).mean() for _ in range(400)])
    is_repeated = silent < 0.1  # what the last whole repetition leaves
    assert is_repeated.mean() == pytest.approx(augment.REPEATED, abs=0.1)
    assert np.median(silent[~is_repeated]) > 0.9  # once, in silence


def test_another_speed_moves_the_pitch_within_its_bounds() -> None:
    tone = np.sin(2 * np.pi * 0.05 * np.arange(N)).astype(np.float32)
    rng, found = np.random.default_rng(0), []
    for _ in range(60):
        wave = augment.at_some_speed(tone, rng)
        spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 8 * N))
        found.append(np.argmax(spectrum) / (8 * N) / 0.05)
    slowest, fastest = augment.SPEEDS
    assert slowest - 0.01 <= min(found) < 0.9
    assert 1.1 < max(found) <= fastest + 0.01
    assert np.mean(np.isclose(found, 1.0, atol=0.002)) >= 0.4


def test_noise_lies_far_below() -> None:
    rng, noise = np.random.default_rng(0), np.ones(N, np.float32)
    levels = [augment.with_noise(np.zeros(N, np.float32), noise, rng)[0] for _ in range(100)]
    lowest, highest = (10 ** (db / 20) for db in augment.NOISE_DB)
    assert lowest <= min(levels) < 1.5 * lowest
    assert 0.7 * highest < max(levels) <= highest


def test_an_equaliser_is_smooth_and_the_same_at_all_times() -> None:
    features = torch.zeros(3, 1, 20, 64)
    curves = augment.equalised(features, np.random.default_rng(0))
    assert torch.equal(curves[:, :, :1].expand_as(curves), curves)
    assert not torch.allclose(curves[0], curves[1])
    assert curves.diff(dim=3).abs().max() < 1.5
    assert augment.equalised(features - 99.0, np.random.default_rng(0)).min() >= -100.0


def test_masks_leave_most_of_a_clip() -> None:
    features = torch.zeros(8, 1, 250, 64)
    masked = augment.masked(features, np.random.default_rng(0))
    assert torch.equal(features, torch.zeros(8, 1, 250, 64))  # not written to
    share = (masked == -60.0).float().mean((1, 2, 3))
    assert share.min() > 0
    assert share.max() < 0.4
