"""CLAP embeddings, against transformers' own model and feature extractor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny as tiny_checkpoint
import torch
from transformers import ClapFeatureExtractor, ClapModel

from engine.checkpoint import load_checkpoint
from engine.clap import Clap, ClapFeatures, similarity

RATE = tiny_checkpoint.FEATURES["sampling_rate"]
WINDOW = tiny_checkpoint.FEATURES["max_length_s"] * RATE


@pytest.fixture(scope="module")
def clap(tiny_folder: Path) -> Clap:
    parts = load_checkpoint(tiny_folder)
    return Clap(
        parts.text_encoder,
        parts.tokenizer,
        parts.audio_tower,
        parts.audio_features,
        torch.device("cpu"),
    )


@pytest.fixture(scope="module")
def theirs(tiny_folder: Path) -> ClapModel:
    return ClapModel.from_pretrained(tiny_folder / "clap").eval()


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(n_samples).astype(np.float32)


@pytest.mark.parametrize("n_samples", [WINDOW, WINDOW - 1, WINDOW // 2, WINDOW // 3 + 5, 700, 1])
@pytest.mark.parametrize("truncation", ["rand_trunc", "fusion"])
def test_features_equal_transformers(n_samples: int, truncation: str) -> None:
    config = tiny_checkpoint.FEATURES | {"truncation": truncation}
    extractor = ClapFeatureExtractor(**config)
    wave = noise(n_samples)
    wanted = extractor(wave, sampling_rate=RATE, return_tensors="np")["input_features"][0, 0]
    found = ClapFeatures(config)(torch.from_numpy(wave))
    assert found.shape == wanted.shape
    assert np.abs(found.numpy() - wanted).max() < 1e-3


def test_features_equal_transformers_at_laions_sizes() -> None:
    config = {
        "feature_size": 64,
        "sampling_rate": 48000,
        "hop_length": 480,
        "max_length_s": 10,
        "fft_window_size": 1024,
        "frequency_min": 50,
        "frequency_max": 14000,
        "truncation": "rand_trunc",
    }
    wave = noise(48000 * 3)
    wanted = ClapFeatureExtractor(**config)(wave, sampling_rate=48000, return_tensors="np")
    found = ClapFeatures(config)(torch.from_numpy(wave))
    assert np.abs(found.numpy() - wanted["input_features"][0, 0]).max() < 1e-3


def test_audio_embedding_equals_transformers(clap: Clap, theirs: ClapModel) -> None:
    wave = noise(WINDOW)
    inputs = ClapFeatureExtractor(**tiny_checkpoint.FEATURES)(
        wave, sampling_rate=RATE, return_tensors="pt"
    )
    with torch.inference_mode():
        wanted = theirs.get_audio_features(inputs["input_features"].float()).pooler_output[0]
    assert torch.allclose(clap.audio(wave, RATE), wanted, atol=1e-5)


def test_text_embedding_equals_transformers(clap: Clap, theirs: ClapModel) -> None:
    for text in ("heavy rain", "", "🎉 ünïcode"):
        tokens = tiny_checkpoint.tokenizer()([text], padding="max_length", return_tensors="pt")
        with torch.inference_mode():
            wanted = theirs.get_text_features(
                tokens.input_ids, attention_mask=tokens.attention_mask
            ).pooler_output[0]
        assert torch.allclose(clap.text(text), wanted, atol=1e-5)


@pytest.mark.parametrize("text", ["", "rain", "🎉" * 50, "a" * 2000, "\x00\n\t", "\ud800"[:0]])
def test_any_text_is_a_unit_vector(clap: Clap, text: str) -> None:
    embedding = clap.text(text)
    assert embedding.shape == (tiny_checkpoint.EMBEDDING,)
    assert float(embedding.norm()) == pytest.approx(1.0, abs=1e-5)


def test_long_texts_are_cut_not_refused(clap: Clap) -> None:
    assert torch.equal(clap.text("a" * 500), clap.text("a" * 400))
    assert not torch.equal(clap.text("a" * 10), clap.text("a" * 400))


def test_long_clips_are_heard_whole(clap: Clap) -> None:
    """The average of the windows, the same every time; transformers would pick one by chance."""
    halves = noise(WINDOW, 1), noise(WINDOW, 2) * np.linspace(0, 5, WINDOW, dtype=np.float32)
    parts = [clap.audio(half, RATE) for half in halves]
    wanted = torch.nn.functional.normalize(parts[0] + parts[1], dim=-1)
    whole = np.concatenate(halves)
    assert torch.allclose(clap.audio(whole, RATE), wanted, atol=1e-5)
    assert torch.equal(clap.audio(whole, RATE), clap.audio(whole, RATE))


def test_other_rates_are_resampled(clap: Clap) -> None:
    time_s = np.arange(WINDOW) / RATE
    tone = np.sin(2 * np.pi * 440 * time_s).astype(np.float32)
    double = np.sin(2 * np.pi * 440 * np.arange(2 * WINDOW) / (2 * RATE)).astype(np.float32)
    assert similarity(clap.audio(tone, RATE), clap.audio(double, 2 * RATE)) > 0.999


@pytest.mark.parametrize("wave", [np.zeros(100, np.float32), np.ones(1, np.float32)])
def test_silence_and_one_sample_have_embeddings(clap: Clap, wave: np.ndarray) -> None:
    for rate in (RATE, 48000, 8000):
        assert float(clap.audio(wave, rate).norm()) == pytest.approx(1.0, abs=1e-5)


def test_similarity_is_a_cosine() -> None:
    right, up = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0])
    assert similarity(right, right) == pytest.approx(1.0)
    assert similarity(right, up) == pytest.approx(0.0)
    assert similarity(right, -2 * right) == pytest.approx(-1.0)


def test_fused_towers_hear_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tiny_checkpoint.AUDIO, "enable_fusion", True)
    monkeypatch.setitem(tiny_checkpoint.AUDIO, "fusion_type", "aff_2d")
    monkeypatch.setitem(tiny_checkpoint.FEATURES, "truncation", "fusion")
    parts = load_checkpoint(tiny_checkpoint.build(tmp_path))
    clap = Clap(
        parts.text_encoder,
        parts.tokenizer,
        parts.audio_tower,
        parts.audio_features,
        torch.device("cpu"),
    )
    assert float(clap.audio(noise(RATE), RATE).norm()) == pytest.approx(1.0, abs=1e-5)
