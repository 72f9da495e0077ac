"""Training of the VAE that turns log-mels into latents: L1, KL and a patch discriminator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from engine.mel import LogMel
from engine.training.corpus import Corpus
from engine.training.loop import (
    Average,
    Losses,
    Trainee,
    autocast,
    device,
    set_rate,
    step_down,
    to_tensor,
    warm_then_decay,
)

CROP_SAMPLES = 20480
BATCH = 12
LEARNING_RATE = 6e-4
#: Per latent value; strong enough to keep latents near unit variance, weak enough not to blur.
KL_WEIGHT = 2e-3
#: Mean of the corpus's log-mels: what the decoder starts from.
MEAN_LOG_MEL = -5.0

CONFIG: dict[str, Any] = {
    "in_channels": 1,
    "out_channels": 1,
    "block_out_channels": (32, 64, 96, 128),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 1,
    "latent_channels": 16,
    "norm_num_groups": 8,
    "mid_block_add_attention": False,
    "sample_size": 64,
}


def patch_judge() -> nn.Sequential:
    """PatchGAN discriminator on mels (Isola 2017), small."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, 2, 1),
        nn.GroupNorm(8, 64),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 64, 3, 1, 1),
        nn.GroupNorm(8, 64),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 1, 3, 1, 1),
    )


class VaeTrainee(Trainee):
    """One step: mel of a crop, through the VAE and back.

    Parameters
    ----------
    corpus : Corpus
        Clips to learn from.
    adversarial_from : float
        Share of the budget after which the discriminator joins.
    """

    stateful = ("vae", "judge", "optimizer", "judge_optimizer")

    def __init__(self, corpus: Corpus, adversarial_from: float = 0.6) -> None:
        self.corpus, self.adversarial_from, self.where = corpus, adversarial_from, device()
        self.vae = AutoencoderKL(**CONFIG).to(self.where, memory_format=torch.channels_last)
        nn.init.constant_(self.vae.decoder.conv_out.bias, MEAN_LOG_MEL)
        self.judge = patch_judge().to(self.where)
        self.average = Average(self.vae)
        self.optimizer = torch.optim.AdamW(self.vae.parameters(), LEARNING_RATE, (0.9, 0.99))
        self.judge_optimizer = torch.optim.AdamW(self.judge.parameters(), 2e-4, (0.5, 0.9))
        self.front = LogMel().to(self.where)
        self.n_steps = 0

    def step(self, rng: np.random.Generator, done: float) -> Losses:
        """One step on a fresh batch of crops."""
        set_rate(self.optimizer, LEARNING_RATE * warm_then_decay(done, self.n_steps))
        mel = self.front(self._batch(rng))[:, None]  # (n_batch, 1, n_frames, n_mels)
        mel = mel.contiguous(memory_format=torch.channels_last)
        with autocast(self.where):
            posterior = self.vae.encode(mel).latent_dist
            made = self.vae.decode(posterior.sample()).sample.float()
        reconstruction, kl = (
            (made - mel).abs().mean(),
            posterior.kl().mean() / posterior.mean[0].numel(),
        )
        loss, losses = reconstruction + KL_WEIGHT * kl, {}
        if done >= self.adversarial_from:
            losses["judge"] = self._judge_step(mel, made.detach())
            loss = loss - 0.02 * self.judge(made / 5 + 1).mean()
        self.descend(loss, self.vae, self.optimizer)
        return {"reconstruction": reconstruction.item(), "kl": kl.item(), **losses}

    def _batch(self, rng: np.random.Generator) -> Tensor:
        waves = []
        for index in self.corpus.draw(rng, BATCH):
            wave = self.corpus.crop(index, CROP_SAMPLES, rng)
            if rng.random() < 0.25:
                wave = wave + self.corpus.crop(int(self.corpus.draw(rng, 1)[0]), CROP_SAMPLES, rng)
            waves.append((wave * 10 ** (rng.uniform(-12, 6) / 20)).clip(-1, 1).astype(np.float32))
        return to_tensor(waves, self.where)

    def _judge_step(self, real: Tensor, made: Tensor) -> float:
        real_score, made_score = self.judge(real / 5 + 1), self.judge(made / 5 + 1)
        loss = nn.functional.relu(1 - real_score).mean() + nn.functional.relu(1 + made_score).mean()
        step_down(loss, self.judge, self.judge_optimizer)
        return loss.item()

    def export(self, folder: Path, scaling_factor: float = 1.0) -> None:
        """Write the averaged VAE into `folder` in fp16, with the factor that makes its latents
        unit."""
        vae = AutoencoderKL(**CONFIG, scaling_factor=scaling_factor)
        self.average.copy_to(vae)
        vae.half().save_pretrained(folder, safe_serialization=True)
