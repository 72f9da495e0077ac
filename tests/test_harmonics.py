"""The vocoder's pulse train: its partials, its level, and that windows of it go on in step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.harmonics import (
    HIGHEST_HZ,
    LOWEST_HZ,
    N_PITCHES,
    HarmonicSource,
    Joined,
    class_hz,
    read_pitch,
)
from engine.mel import LogMel
from engine.vocoder import IstftVocoder, IstftVocoderConfig, inverse_stft, load_vocoder
from engine.windows import in_windows, window_starts

RATE, HOP, N_FFT = 16000, 160, 640
FRONT = LogMel()
SOURCE = HarmonicSource(N_FFT, HOP, FRONT)


def _sum_of_cosines(hz: float, n_samples: int) -> torch.Tensor:
    t = (torch.arange(n_samples, dtype=torch.float64) + 1) / RATE
    partials = range(1, int(0.49 * RATE / hz) + 1)
    return torch.stack([torch.cos(2 * np.pi * k * hz * t) for k in partials]).sum(0)


@pytest.mark.parametrize("hz", [55.0, 110.0, 200.0, 987.8])
def test_pulses_are_all_partials_of_the_pitch(hz: float) -> None:
    made = SOURCE.pulses(torch.full((1, 100), hz))[0]
    wanted = _sum_of_cosines(hz, 100 * HOP)
    assert float((made - wanted).abs().max()) < 2e-3 * float(wanted.max())


def test_the_last_of_a_window_is_in_step() -> None:
    """After the longest window's six seconds the hundredth partial is where it should be."""
    made = SOURCE.pulses(torch.full((1, 640), 70.0))[0, -RATE:]
    wanted = _sum_of_cosines(70.0, 640 * HOP)[-RATE:]
    assert float((made - wanted).square().mean() / wanted.square().mean()) < 0.01


def test_pulses_follow_a_glide() -> None:
    """A second from 200 Hz up an octave has as many pulses as the integral of its pitch."""
    hz = torch.exp2(torch.linspace(0, 1, 101)[:100])[None] * 200
    made = SOURCE.pulses(hz)[0]
    tops = (made[1:-1] > made[:-2]) & (made[1:-1] >= made[2:]) & (made[1:-1] > 0.6 * 18)
    assert int(tops.sum()) == pytest.approx(200 / np.log(2), abs=2)


@pytest.mark.parametrize("hz", [110.0, 220.0])
def test_low_partials_are_about_as_loud_as_the_mel_asks(hz: float) -> None:
    t = torch.arange(RATE) / RATE
    wave = 0.1 * sum(torch.sin(2 * np.pi * k * hz * t + k * k) for k in range(1, 5))
    mel = FRONT(wave[None])
    spectrum = SOURCE(torch.full((1, 100), hz), mel, torch.zeros_like(mel))
    made = inverse_stft(spectrum, SOURCE.window, HOP)[0]
    middle = slice(RATE // 4, -RATE // 4)
    ratio = float(made[middle].square().mean() / wave[middle].square().mean())
    assert 0.7 < ratio < 1.4


def test_pitch_is_read_between_the_classes() -> None:
    log_hz, wanted = class_hz().log(), torch.tensor([61.0, 110.0, 233.0, 1234.0])
    step = float(log_hz[1] - log_hz[0])
    logits = torch.full((4, 9, N_PITCHES + 1), 3.0)  # the last class is no pitch and is not read
    named = -0.5 * ((log_hz - wanted.log()[:, None]) / (0.7 * step)) ** 2
    logits[..., :N_PITCHES] = named[:, None]
    assert torch.allclose(read_pitch(logits), wanted[:, None].expand(4, 9), rtol=2e-3)
    logits[:, 4, :N_PITCHES] = named.roll(6, -1)  # a slip of one frame
    assert torch.allclose(read_pitch(logits)[:, 4], wanted, rtol=1e-2)
    assert float(class_hz()[0]) == pytest.approx(LOWEST_HZ)
    assert float(class_hz()[-1]) == pytest.approx(HIGHEST_HZ)


def test_windows_go_on_where_the_window_before_is() -> None:
    hz = torch.linspace(90, 300, 1500)[None]
    starts = window_starts(1500, 512, 64)

    def made(joined: Joined | None) -> torch.Tensor:
        return in_windows(
            lambda part: SOURCE.pulses(part, joined), hz, 512, 64, discard=24, ratio=HOP
        )[0]

    whole, apart, together = SOURCE.pulses(hz)[0], made(None), made(Joined(starts))
    assert len(starts) > 2
    scale = float(whole.square().mean())
    assert float((together - whole).square().mean()) < 0.01 * scale
    assert float((apart - whole).square().mean()) > 0.3 * scale


def _harmonic() -> IstftVocoder:
    torch.manual_seed(0)
    config = IstftVocoderConfig(width=32, n_blocks=2, harmonic=True)
    return IstftVocoder(config).eval()


def test_a_source_adds_to_what_the_network_says_and_is_saved(tmp_path: Path) -> None:
    vocoder, mel = _harmonic(), torch.randn(1, 30, 64) - 4
    torch.nn.init.normal_(vocoder.source_head.weight, std=0.1)
    for weight in vocoder.parameters():
        weight.data = weight.data.half().float()  # what fp16 can hold
    vocoder.save(tmp_path)
    loaded = load_vocoder(tmp_path)
    with torch.inference_mode():
        sound = vocoder(mel)
        assert torch.allclose(loaded(mel), sound, atol=1e-5)
        loaded.source_head.bias[:64] = -30.0
        assert float((loaded(mel) - sound).abs().max()) > 1e-3


@pytest.mark.parametrize("level", [-11.512925, 3.0])
def test_silence_and_very_loud_mels_stay_finite(level: float) -> None:
    with torch.inference_mode():
        assert torch.isfinite(_harmonic()(torch.full((2, 7, 64), level))).all()
