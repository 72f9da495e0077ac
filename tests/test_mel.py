"""The mel front ends against analytic truth and transformers' own extractor."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from signals import noise
from transformers import ClapFeatureExtractor

from engine.mel import FLOOR, ClapMel, LogMel, mel_filters

RATE = 16000


def tone(hz: float, n_samples: int = RATE) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hz * torch.arange(n_samples) / RATE)[None]


@pytest.mark.parametrize("n_samples", [1, 159, 160, 161, 432, 433, 16000, 16001])
def test_there_is_one_frame_a_started_hop(n_samples: int) -> None:
    assert LogMel()(torch.zeros(2, n_samples)).shape == (2, -(-n_samples // 160), 64)


def test_silence_lies_at_the_floor() -> None:
    assert torch.allclose(LogMel()(torch.zeros(1, 1600)), torch.tensor(FLOOR).log())


@pytest.mark.parametrize("hz", [220.0, 1000.0, 3500.0])
def test_a_tone_peaks_in_the_bin_whose_filter_is_centred_nearest(hz: float) -> None:
    filters = mel_filters(RATE, 1024, 64, 0.0, RATE / 2)
    bin_hz = torch.arange(513) * RATE / 1024
    heard = filters[(bin_hz - hz).abs().argmin()].argmax()
    assert int(LogMel()(tone(hz))[0, 50].argmax()) == int(heard)


def test_magnitudes_not_powers_are_summed() -> None:
    """Doubling the wave adds log 2, not log 4."""
    mel = LogMel()
    quiet, loud = mel(0.1 * tone(1000.0)), mel(0.2 * tone(1000.0))
    assert float((loud - quiet)[0, 50].max()) == pytest.approx(np.log(2.0), abs=1e-3)


@pytest.mark.parametrize("at", [4000, 8000, 12345])
def test_frame_k_is_centred_on_its_hop(at: int) -> None:
    click = torch.zeros(1, RATE)
    click[0, at] = 1.0
    energy = LogMel()(click)[0].exp().sum(1)
    frames = torch.arange(len(energy))
    centre = float((energy * (frames * 160 + 80)).sum() / energy.sum())
    assert centre == pytest.approx(at, abs=80)


@pytest.mark.parametrize("n_samples", [400, 33000, 79999, 80000])
def test_clap_mel_equals_transformers_extractor(n_samples: int) -> None:
    extractor = ClapFeatureExtractor(
        feature_size=64,
        sampling_rate=RATE,
        hop_length=320,
        max_length_s=5,
        fft_window_size=1024,
        frequency_min=0,
        frequency_max=8000,
        truncation="rand_trunc",
        padding="repeatpad",
    )
    wave = np.random.default_rng(0).normal(scale=0.1, size=n_samples).astype(np.float32)
    theirs = extractor(wave, sampling_rate=RATE, return_tensors="pt").input_features
    ours = ClapMel()(torch.from_numpy(wave)[None])
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) < 1e-3


@pytest.mark.parametrize("n_samples", [1, 160, 7 * 160, 7 * 160 + 1, 20 * 160, 5000])
def test_long_waves_are_heard_in_pieces(n_samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    wave = torch.from_numpy(noise(n_samples)[:, 0])[None]
    whole = LogMel()(wave)
    monkeypatch.setattr("engine.mel.PIECE_FRAMES", 7)
    assert torch.allclose(LogMel()(wave), whole, atol=1e-5)
