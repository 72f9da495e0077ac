"""The vocoder's door: lengths, places, and folders that don't fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import CheckpointError
from engine.mel import LogMel
from engine.vocoder import (
    HifiGanVocoder,
    IstftVocoder,
    IstftVocoderConfig,
    MelMatch,
    Parts,
    load_vocoder,
)

SMALL = IstftVocoderConfig(width=32, n_blocks=2)


@pytest.mark.parametrize("n_frames", [1, 2, 7, 100])
def test_every_mel_frame_gives_one_hop(n_frames: int) -> None:
    wave = IstftVocoder(SMALL)(torch.randn(2, n_frames, 64))
    assert wave.shape == (2, n_frames * 160)
    assert torch.isfinite(wave).all()


def test_inverse_of_a_spectrum_is_the_wave_it_came_from() -> None:
    """The iSTFT head's own overlap-add undoes a plain STFT with the same framing."""
    config = IstftVocoderConfig()
    wave = torch.from_numpy(np.random.default_rng(0).normal(size=16000)).float()[None]
    side = (config.n_fft - config.hop_length) // 2
    padded = torch.nn.functional.pad(wave, (side, side))
    frames = padded.unfold(1, config.n_fft, config.hop_length) * torch.hann_window(config.n_fft)
    spectrum = torch.fft.rfft(frames)
    parts = Parts(spectrum.abs().clamp(min=1e-9).log(), spectrum.angle(), None, None)
    back = IstftVocoder(config).to_wave(parts, torch.zeros(1, 100, 64))
    assert back.shape == wave.shape
    assert float((back - wave).abs().max()) < 1e-4


def test_matching_brings_the_mel_to_the_wanted_one_and_keeps_the_length() -> None:
    """A wave with every second octave 12 dB off comes back to its mels, step by step."""
    rng = np.random.default_rng(1)
    wave = torch.from_numpy(rng.normal(size=16000) * 0.1).float()[None]
    match = MelMatch(LogMel())
    wanted = match.front(wave)
    tilted = torch.fft.irfft(torch.fft.rfft(wave) * torch.linspace(0.25, 4.0, 8001))
    distances = [
        float((match.front(match(tilted, wanted, n)) - wanted).abs().mean()) for n in (0, 1, 4)
    ]
    assert match(tilted, wanted, 1).shape == wave.shape
    assert distances[1] < 0.5 * distances[0]
    assert distances[2] < 0.25 * distances[0]


@pytest.mark.parametrize("n_frames", [1, 2, 3, 50])
def test_matching_short_and_silent_waves_stays_finite(n_frames: int) -> None:
    match, silence = MelMatch(LogMel()), torch.zeros(1, n_frames * 160)
    assert torch.equal(match(silence, torch.full((1, n_frames, 64), 2.0), 3), silence)
    quiet = match(torch.randn(1, n_frames * 160), torch.full((1, n_frames, 64), -11.5), 3)
    assert torch.isfinite(quiet).all()
    assert quiet.shape == silence.shape


def test_a_frame_sounds_where_its_mel_is() -> None:
    """Changing mel frame 50 changes the wave around sample 50 * 160 + 80, evenly on both sides."""
    torch.manual_seed(0)
    vocoder = IstftVocoder(SMALL).eval()
    mel = torch.full((1, 100, 64), -5.0)
    changed = mel.clone()
    changed[0, 50] += 1.0
    with torch.inference_mode():
        difference = (vocoder(changed) - vocoder(mel))[0].abs()
    heard = torch.nonzero(difference > 1e-7).flatten()
    reach = (3 * 3) * 160 + 320  # three convolutions of seven frames, and the window
    assert int(heard.min()) >= 50 * 160 + 80 - reach
    assert int(heard.max()) <= 50 * 160 + 80 + reach


def test_saved_and_loaded_it_says_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    vocoder = IstftVocoder(SMALL).eval()
    for weight in vocoder.parameters():
        weight.data = weight.data.half().float()  # what fp16 can hold
    vocoder.save(tmp_path)
    mel = torch.randn(1, 20, 64)
    with torch.inference_mode():
        assert torch.allclose(load_vocoder(tmp_path)(mel), vocoder(mel), atol=1e-5)


def test_hifigan_is_trimmed_to_whole_hops(tmp_path: Path) -> None:
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    config = SpeechT5HifiGanConfig(
        model_in_dim=64,
        sampling_rate=16000,
        upsample_initial_channel=32,
        upsample_rates=[5, 4, 2, 2, 2],
        upsample_kernel_sizes=[16, 16, 8, 4, 4],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1]],
        normalize_before=False,
    )
    SpeechT5HifiGan(config).save_pretrained(tmp_path)
    vocoder = load_vocoder(tmp_path)
    assert isinstance(vocoder, HifiGanVocoder)
    with torch.inference_mode():
        assert vocoder(torch.randn(2, 9, 64)).shape == (2, 9 * 160)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json"),
        (lambda f: (f / "model.safetensors").unlink(), "safetensors"),
        (lambda f: _set(f, model_type="wavenet"), "wavenet"),
        (lambda f: _set(f, width=64), "asks for"),
        (lambda f: _set(f, colour="blue"), "config.json"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(tmp_path: Path, spoil, words: str) -> None:
    IstftVocoder(SMALL).save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_vocoder(tmp_path)
    assert caught.value.code == "model-unavailable"


def _set(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
