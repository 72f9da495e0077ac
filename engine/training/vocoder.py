"""Training of the iSTFT-head vocoder: spectral losses first, then adversarial ones on top."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

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
from engine.training.pitch import heard_pitch, pitch_loss
from engine.training.spectral import (
    Discriminators,
    MelLoss,
    fool_loss,
    judge_loss,
    multi_resolution_distance,
    periodicity_distance,
)
from engine.training.tones import tone
from engine.vocoder import IstftVocoder, IstftVocoderConfig

CROP_SAMPLES = 10240
#: Of a batch: crops whose mels have gone through the VAE, crops whose mels have not, and tones.
CODED, PLAIN, TONES = 5, 4, 5
#: Of the crops, the share that are voices, and the kinds of such clips.
VOICES_SHARE = 0.35
VOICES = {
    "man speaking", "woman speaking", "child speaking", "conversation",
    "angry man", "angry woman", "man singing", "woman singing",
}  # fmt: skip
LEARNING_RATE = 8e-4
MEL_WEIGHT, PERIODICITY_WEIGHT, PITCH_WEIGHT = 2.0, 1.0, 0.5
NOISE_CHANNELS = 4
#: Steps of mel matching, in training and at run time, where each costs 2 ms a second of sound on
#: one core. More of them bring the mels of recordings nearer (benchmarks/quality, reconstruction),
#: but blur the attacks and the harmonics that come out of the VAE.
MEL_STEPS = 7


class VocoderTrainee(Trainee):
    """One step: mel of a crop, wave of the mel, losses between waves.

    Parameters
    ----------
    corpus : Corpus
        Clips to learn from.
    vae : AutoencoderKL, optional
        Half of the clips' mels have gone through it, since most mels the vocoder will see have.
    adversarial_from : float
        Share of the budget after which the discriminators join.
    """

    stateful = ("vocoder", "judges", "optimizer", "judge_optimizer")

    def __init__(
        self, corpus: Corpus, vae: AutoencoderKL | None = None, adversarial_from: float = 0.6
    ) -> None:
        self.corpus, self.adversarial_from, self.where = corpus, adversarial_from, device()
        self.vae = vae and vae.to(self.where, memory_format=torch.channels_last).eval()
        self.vocoder = IstftVocoder(
            IstftVocoderConfig(noise_channels=NOISE_CHANNELS, harmonic=True)
        )
        self.vocoder.to(self.where).train()
        self.judges = Discriminators().to(self.where)
        self.average = Average(self.vocoder)
        self.optimizer = torch.optim.AdamW(self.vocoder.parameters(), LEARNING_RATE, (0.8, 0.99))
        self.judge_optimizer = torch.optim.AdamW(self.judges.parameters(), 3e-4, (0.8, 0.99))
        self.front, self.mel_loss = LogMel().to(self.where), MelLoss().to(self.where)
        self.voices = np.flatnonzero([not VOICES.isdisjoint(e.kinds) for _, e in corpus.clips])
        self.n_steps = 0

    def step(self, rng: np.random.Generator, done: float) -> Losses:
        """One step on a fresh batch of crops."""
        set_rate(self.optimizer, LEARNING_RATE * warm_then_decay(done, self.n_steps))
        real, hz = self._batch(rng)
        mels = self._mels(real)
        with autocast(self.where):
            parts = self.vocoder.parts(mels)
        made = self.vocoder.to_wave(parts, mels)
        made = self.vocoder.match(made, mels, MEL_STEPS)
        distance, mel = multi_resolution_distance(made, real), self.mel_loss(made, real)
        periodicity = periodicity_distance(made, real)
        pitch = pitch_loss(parts.pitch, hz)
        loss = distance + MEL_WEIGHT * mel + PERIODICITY_WEIGHT * periodicity + PITCH_WEIGHT * pitch
        losses = {
            "distance": distance.item(), "mel": mel.item(),
            "periodicity": periodicity.item(), "pitch": pitch.item(),
        }  # fmt: skip
        if done >= self.adversarial_from:
            losses["judge"] = self._judge_step(real, made.detach())
            with autocast(self.where):
                fool, match = fool_loss(self.judges(real), self.judges(made))
            loss = loss + 0.1 * fool + 1.0 * match
            losses |= {"fool": fool.item(), "match": match.item()}
        self.descend(loss, self.vocoder, self.optimizer, 5.0)
        return losses

    @torch.no_grad()
    def _mels(self, real: Tensor) -> Tensor:
        """Mels of waves, the first of them as the VAE gives them back."""
        mels = self.front(real)
        if self.vae is not None:
            some = mels[:CODED, None].contiguous(memory_format=torch.channels_last)
            with autocast(self.where):
                coded = self.vae.decode(self.vae.encode(some).latent_dist.mean).sample
            mels = torch.cat((coded[:, 0].float(), mels[CODED:]))
        return mels

    def _batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Waves, and the pitches of their mel frames: of tones known, of clips heard."""
        waves, n_frames = [], CROP_SAMPLES // self.front.hop
        for index in self._clips(rng, CODED + PLAIN):
            wave = self.corpus.crop(int(index), CROP_SAMPLES, rng)
            if rng.random() < 0.25:
                wave = wave + self.corpus.crop(int(self.corpus.draw(rng, 1)[0]), CROP_SAMPLES, rng)
            waves.append(wave)
        tones, pitches = zip(*(tone(CROP_SAMPLES, rng) for _ in range(TONES)), strict=True)
        waves += tones
        gains = 10 ** (rng.uniform(-18, 6, len(waves)) / 20)
        pairs = zip(waves, gains, strict=True)
        real = to_tensor([(w * g).clip(-1, 1).astype(np.float32) for w, g in pairs], self.where)
        known = to_tensor([p.astype(np.float32) for p in pitches], self.where)
        known = known[:, self.front.hop // 2 :: self.front.hop]
        return real, torch.cat((heard_pitch(real[: CODED + PLAIN], n_frames), known))

    def _clips(self, rng: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Indices of `n` clips, some of them voices where the corpus has any."""
        chosen = self.corpus.draw(rng, n)
        if len(self.voices):
            some = rng.random(n) < VOICES_SHARE
            chosen[some] = rng.choice(self.voices, some.sum())
        return chosen

    def _judge_step(self, real: Tensor, made: Tensor) -> float:
        with autocast(self.where):
            loss = judge_loss(self.judges(real), self.judges(made))
        step_down(loss, self.judges, self.judge_optimizer)
        return loss.item()

    def export(self, folder: Path) -> None:
        """Write the averaged vocoder into `folder`, told to match its mels."""
        network = IstftVocoder(replace(self.vocoder.config, mel_steps=MEL_STEPS))
        self.average.copy_to(network)
        network.save(folder)
