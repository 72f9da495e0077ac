"""The VAE's door: against diffusers' own calls, any length, flat memory, no seams."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.checkpoint import load_checkpoint
from engine.device import choose
from engine.latents import Vae

STRIDE, SCALE, WINDOW = 4, 0.9, 128


@pytest.fixture(scope="module")
def network(tiny_folder: Path) -> torch.nn.Module:
    return load_checkpoint(tiny_folder).vae


@pytest.fixture(scope="module")
def vae(tiny_folder: Path) -> Vae:
    network = load_checkpoint(tiny_folder).vae  # its own copy: the door changes it
    return Vae(network, SCALE, STRIDE, WINDOW, choose("cpu", "fp32"))


def mel_of(n_frames: int, n_batch: int = 1) -> torch.Tensor:
    """Something like a log-mel: slow in time, falling in frequency."""
    steps = torch.randn(n_batch, n_frames, 64, generator=torch.Generator().manual_seed(n_frames))
    return steps.cumsum(1) / n_frames**0.5 - torch.linspace(3, 8, 64)


def test_encode_is_the_scaled_mean(network: torch.nn.Module, vae: Vae) -> None:
    mel = mel_of(96, 2)
    with torch.inference_mode():
        wanted = network.encode(mel[:, None]).latent_dist.mode() * SCALE
    assert torch.allclose(vae.encode(mel), wanted, atol=1e-5)


def test_decode_is_diffusers(network: torch.nn.Module, vae: Vae) -> None:
    latents = torch.randn(2, 4, 24, 16)
    with torch.inference_mode():
        wanted = network.decode(latents / SCALE).sample[:, 0]
    assert torch.allclose(vae.decode(latents), wanted, atol=1e-5)


@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 5, 127, 128, 129, 131, 400])
def test_any_number_of_frames(vae: Vae, n_frames: int) -> None:
    n_cells = -(-n_frames // STRIDE)
    latents = vae.encode(mel_of(n_frames))
    assert latents.shape == (1, 4, n_cells, 16)
    mel = vae.decode(latents)
    assert mel.shape == (1, n_cells * STRIDE, 64)
    assert torch.isfinite(mel).all()


def test_long_clips_go_in_windows(vae: Vae, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    encode = vae._network.encode

    def watched(mel: torch.Tensor) -> object:
        seen.append(mel.shape[3])
        return encode(mel)

    monkeypatch.setattr(vae._network, "encode", watched)
    vae.encode(mel_of(2000))
    assert len(seen) > 10
    assert max(seen) <= WINDOW * 5 // 4


def test_windows_do_not_jump_at_their_seams(network: torch.nn.Module, vae: Vae) -> None:
    """What windows change, against one pass over everything, glides: it has no steps of its own."""
    mel = mel_of(1280)
    with torch.inference_mode():
        whole = network.encode(mel[:, None]).latent_dist.mode()[0] * SCALE
    change = vae.encode(mel)[0] - whole
    steps, own = change.diff(dim=1).abs().mean((0, 2)), whole.diff(dim=1).abs().mean((0, 2))
    assert float(steps[8:-8].max()) < 0.5 * float(own.median())  # the clip's own ends aside


def test_silence_has_latents(vae: Vae) -> None:
    assert torch.isfinite(vae.encode(torch.full((1, 40, 64), -11.5))).all()
