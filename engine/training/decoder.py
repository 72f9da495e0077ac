"""The VAE's last stage: its decoder alone, so that latents stay what they are.

Most of what it hears at run time are latents that a diffusion model made, which are not quite
right: so they are shaken a little. Beside the mels their slopes count, from bin to bin and from
frame to frame: harmonics and attacks, which a mean over bins leaves blurred.
"""

from __future__ import annotations

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from engine.mel import LogMel
from engine.training.corpus import Corpus
from engine.training.cpu_steps import shorten
from engine.training.loop import (
    Average,
    Losses,
    Trainee,
    autocast,
    device,
    set_rate,
    to_tensor,
    warm_then_decay,
)
from engine.training.tones import tone
from engine.training.vae import CROP_SAMPLES

CLIPS, TONES = 10, 2
RECORDED_SHARE = 0.35
#: What is added to latents, as a share of their own deviation.
SHAKEN = 0.05
#: Weights of the slopes over bins and over frames.
BINS_WEIGHT, FRAMES_WEIGHT = 0.5, 0.25
LEARNING_RATE = 5e-4


class DecoderTrainee(Trainee):
    """One step: mels from the latents of crops and tones.

    Parameters
    ----------
    corpus : Corpus
        Clips to learn from.
    vae : AutoencoderKL
        Trained; its encoder is left alone.
    """

    stateful = ("vae", "optimizer")

    def __init__(self, corpus: Corpus, vae: AutoencoderKL) -> None:
        self.corpus, self.where = corpus, device()
        self.vae = vae.to(self.where, memory_format=torch.channels_last).train()
        self.average = Average(self.vae, 0.998)
        for name, parameter in self.vae.named_parameters():
            parameter.requires_grad_(name.startswith(("decoder.", "post_quant_conv.")))
        learned = [p for p in self.vae.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(learned, LEARNING_RATE, (0.9, 0.99), fused=True)
        self.front = LogMel().to(self.where)
        self.n_steps = 0

    def hurry(self) -> None:
        """Before a long run: make its steps on a CPU shorter."""
        if self.where.type == "cpu":
            shorten(self.vae.decoder)

    def step(self, rng: np.random.Generator, done: float) -> Losses:
        """One step on a fresh batch."""
        set_rate(self.optimizer, LEARNING_RATE * warm_then_decay(done, self.n_steps))
        mel = self.front(self._batch(rng))[:, None]  # (n_batch, 1, n_frames, n_mels)
        mel = mel.contiguous(memory_format=torch.channels_last)
        with autocast(self.where):
            with torch.no_grad():
                latents = self.vae.encode(mel).latent_dist.mean
            shaken = latents + SHAKEN * latents.std() * torch.randn_like(latents)
            made = self.vae.decode(shaken).sample.float()
        parts = {
            "reconstruction": _distance(made, mel),
            "bins": _distance(made.diff(dim=3), mel.diff(dim=3)),
            "frames": _distance(made.diff(dim=2), mel.diff(dim=2)),
        }
        loss = parts["reconstruction"] + BINS_WEIGHT * parts["bins"]
        self.descend(loss + FRAMES_WEIGHT * parts["frames"], self.vae, self.optimizer)
        return {name: part.item() for name, part in parts.items()}

    def _batch(self, rng: np.random.Generator) -> Tensor:
        waves = [tone(CROP_SAMPLES, rng) for _ in range(TONES)]
        for index in self.corpus.draw(rng, CLIPS, RECORDED_SHARE):
            wave = self.corpus.crop(int(index), CROP_SAMPLES, rng)
            if rng.random() < 0.2:
                wave = wave + self.corpus.crop(int(self.corpus.draw(rng, 1)[0]), CROP_SAMPLES, rng)
            waves.append(wave)
        gains = 10 ** (rng.uniform(-12, 6, len(waves)) / 20)
        pairs = zip(waves, gains, strict=True)
        return to_tensor([(w * g).clip(-1, 1).astype(np.float32) for w, g in pairs], self.where)


def _distance(made: Tensor, wanted: Tensor) -> Tensor:
    return (made - wanted).abs().mean()
