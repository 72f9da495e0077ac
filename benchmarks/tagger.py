"""The judge: a tagger that names the sounds in a clip, trained apart from everything it judges.

Another architecture (a plain CNN), other synthesis seeds, and the recordings that training may
see; never the CLAP that ranks takes. `benchmarks/train_tagger.py` makes its weights, which lie
beside this file so that `python -m benchmarks.quality` starts at once.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.mel import LogMel
from engine.training.corpus import RATE, level

WEIGHTS = Path(__file__).parent / "tagger.safetensors"
LABELS = Path(__file__).parent / "tagger.json"
WINDOW_SAMPLES = 4 * RATE
HOP, N_MELS, N_FFT = 256, 80, 1024
EMBEDDING_WIDTH = 192


class Tagger(nn.Module):
    """Log-mel CNN: an embedding of a clip, and a score for each label from it."""

    def __init__(self, n_labels: int, widths: tuple[int, ...] = (32, 64, 128, 192)) -> None:
        super().__init__()
        self.front = LogMel(n_fft=N_FFT, hop=HOP, n_mels=N_MELS)
        blocks = [self._block(n_in, n_out) for n_in, n_out in pairwise(widths)]
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        self.blocks = nn.Sequential(*blocks)
        self.embed = nn.Linear(widths[-1] * 3, EMBEDDING_WIDTH)
        self.score = nn.Linear(EMBEDDING_WIDTH, n_labels)

    @staticmethod
    def _block(n_in: int, n_out: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, 2, 1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, 1, 1, groups=n_out // 16, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
        )

    def features(self, wave: Tensor) -> Tensor:
        """Log-mels, shape = (n_batch, n_frames, n_mels), of 16 kHz waves (n_batch, n_samples)."""
        return (self.front(wave) + 5.0) / 4.0

    def embedding(self, features: Tensor) -> Tensor:
        """Embedding, shape = (n_batch, width), of `features`."""
        x = self.blocks(self.stem(features[:, None].contiguous(memory_format=torch.channels_last)))
        frames = x.mean(3)  # over mel: (n_batch, channels, n_frames)
        pooled = (frames.mean(2), frames.amax(2), frames.std(2, correction=0))
        return nn.functional.relu(self.embed(torch.cat(pooled, dim=1)))

    def forward(self, features: Tensor) -> Tensor:
        """Logits, shape = (n_batch, n_labels)."""
        return self.score(self.embedding(features))


def fit_length(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """A wave brought to the tagger's 4 s at its reference level: repeated, or its loudest
    stretch."""
    wave = level(wave)
    if len(wave) < WINDOW_SAMPLES:
        return np.resize(wave, WINDOW_SAMPLES).astype(np.float32)
    power = np.cumsum(np.concatenate(([0.0], wave.astype(np.float64) ** 2)))
    starts = np.arange(0, len(wave) - WINDOW_SAMPLES + 1, RATE // 4)
    best = starts[np.argmax(power[starts + WINDOW_SAMPLES] - power[starts])]
    return wave[best : best + WINDOW_SAMPLES].copy()


def load_tagger() -> tuple[Tagger, list[str]]:
    """The trained tagger and its labels.

    Raises
    ------
    FileNotFoundError
        It has not been trained.
    """
    from safetensors.torch import load_file

    labels = json.loads(LABELS.read_text())
    tagger = Tagger(len(labels))
    weights = load_file(WEIGHTS)
    tagger.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in weights.items()}
    )
    return tagger.eval(), labels
