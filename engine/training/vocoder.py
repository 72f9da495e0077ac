"""Training of the iSTFT-head vocoder: spectral losses first, then adversarial ones on top."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.mel import LogMel
from engine.training.corpus import Corpus
from engine.training.loop import (
    Average,
    Losses,
    autocast,
    device,
    set_rate,
    to_tensor,
    warm_then_decay,
)
from engine.training.spectral import (
    Discriminators,
    MelLoss,
    fool_loss,
    judge_loss,
    multi_resolution_distance,
)
from engine.vocoder import IstftVocoder, IstftVocoderConfig

CROP_SAMPLES = 10240
BATCH = 12
LEARNING_RATE = 8e-4


class VocoderTrainee:
    """One step: mel of a crop, wave of the mel, losses between waves.

    Parameters
    ----------
    corpus : Corpus
        Clips to learn from.
    adversarial_from : float
        Share of the budget after which the discriminators join.
    """

    def __init__(self, corpus: Corpus, adversarial_from: float = 0.6) -> None:
        self.corpus, self.adversarial_from, self.where = corpus, adversarial_from, device()
        self.vocoder = IstftVocoder(IstftVocoderConfig()).to(self.where)
        self.judges = Discriminators().to(self.where)
        self.average = Average(self.vocoder)
        self.optimizer = torch.optim.AdamW(self.vocoder.parameters(), LEARNING_RATE, (0.8, 0.99))
        self.judge_optimizer = torch.optim.AdamW(self.judges.parameters(), 3e-4, (0.8, 0.99))
        self.front, self.mel_loss = LogMel().to(self.where), MelLoss().to(self.where)
        self.n_steps = 0

    def step(self, rng: np.random.Generator, done: float) -> Losses:
        """One step on a fresh batch of crops."""
        set_rate(self.optimizer, LEARNING_RATE * warm_then_decay(done, self.n_steps))
        real = self._batch(rng)
        with autocast(self.where):
            log_magnitude, phase = self.vocoder.spectrum(self.front(real))
        made = self.vocoder._inverse(log_magnitude.float(), phase.float())
        distance, mel = multi_resolution_distance(made, real), self.mel_loss(made, real)
        loss, losses = distance + 2.0 * mel, {"distance": distance.item(), "mel": mel.item()}
        if done >= self.adversarial_from:
            losses["judge"] = self._judge_step(real, made.detach())
            fool, match = fool_loss(self.judges(real), self.judges(made))
            loss = loss + 0.1 * fool + 1.0 * match
            losses |= {"fool": fool.item(), "match": match.item()}
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.vocoder.parameters(), 5.0)
        self.optimizer.step()
        self.average.update(self.vocoder, self.n_steps)
        self.n_steps += 1
        return losses

    def _batch(self, rng: np.random.Generator) -> Tensor:
        waves = []
        for index in self.corpus.draw(rng, BATCH):
            wave = self.corpus.crop(index, CROP_SAMPLES, rng)
            if rng.random() < 0.25:
                wave = wave + self.corpus.crop(int(self.corpus.draw(rng, 1)[0]), CROP_SAMPLES, rng)
            waves.append((wave * 10 ** (rng.uniform(-18, 6) / 20)).clip(-1, 1).astype(np.float32))
        return to_tensor(waves, self.where)

    def _judge_step(self, real: Tensor, made: Tensor) -> float:
        loss = judge_loss(self.judges(real), self.judges(made))
        self.judge_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.judge_optimizer.step()
        return loss.item()

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimizers, average and step."""
        return {
            "vocoder": self.vocoder.state_dict(),
            "judges": self.judges.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "judge_optimizer": self.judge_optimizer.state_dict(),
            "average": self.average.weights,
            "n_steps": self.n_steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The way back from `state_dict`."""
        self.vocoder.load_state_dict(state["vocoder"])
        self.judges.load_state_dict(state["judges"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.judge_optimizer.load_state_dict(state["judge_optimizer"])
        self.average.weights, self.n_steps = state["average"], state["n_steps"]

    def export(self, folder: Path) -> None:
        """Write the averaged vocoder into `folder`."""
        network = IstftVocoder(self.vocoder.config)
        self.average.copy_to(network)
        network.save(folder)
