"""What every part listens with: the held-out recordings, the judge, and plain measures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.tagger import fit_length, load_tagger
from engine.mel import LogMel
from engine.training.corpus import HOLD_OUT_EVERY, RATE, level, load_recording, read_manifest
from engine.training.sounds import KINDS, single

Wave = NDArray[np.float32]
#: Seed of the synthesis that the checkpoint is compared with; training uses none near it.
FRESH_SEED = 104729


@dataclass(frozen=True)
class Recording:
    """A held-out recording: 16 kHz mono at the reference level, its caption and its tags."""

    name: str
    wave: Wave
    caption: str
    tags: tuple[str, ...]


def held_out(manifest: Path) -> list[Recording]:
    """Every recording that training has not seen, in the order of file names."""
    return [
        Recording(
            row["file"],
            level(load_recording(manifest.parent / row["file"])),
            row["caption"],
            tuple(filter(None, (row.get("tags") or "").split(";"))),
        )
        for row in read_manifest(manifest)[HOLD_OUT_EVERY - 1 :: HOLD_OUT_EVERY]
    ]


def fresh(kind: str, seconds: float = 4.0, number: int = 0) -> Wave:
    """A synthetic clip of a kind that no training has heard, at the reference level."""
    rng = np.random.default_rng((FRESH_SEED, list(KINDS).index(kind), number))
    return level(single(kind, rng, seconds, RATE).samples)


class Judge:
    """The tagger's opinion of 16 kHz waves."""

    def __init__(self) -> None:
        self.tagger, self.labels = load_tagger()
        self.index = {label: i for i, label in enumerate(self.labels)}
        self.kinds = np.array([self.index[kind] for kind in KINDS])

    @torch.inference_mode()
    def logits(self, wave: Wave) -> NDArray[np.float64]:
        """Logits of all labels, shape = (n_labels,)."""
        return self.tagger(self._features(wave))[0].double().numpy()

    @torch.inference_mode()
    def embedding(self, wave: Wave) -> NDArray[np.float64]:
        """What the tagger knows of a wave before it names it, shape = (width,)."""
        return self.tagger.embedding(self._features(wave))[0].double().numpy()

    def scores(self, wave: Wave, labels: Iterable[str]) -> NDArray[np.float64]:
        """Logits of `labels`."""
        return self.logits(wave)[[self.index[label] for label in labels]]

    def rank(self, wave: Wave, kind: str) -> int:
        """How many other kinds of synthesis the judge hears rather than `kind`; 0 is best."""
        logits = self.logits(wave)
        return int((logits[self.kinds] > logits[self.index[kind]]).sum())

    def _features(self, wave: Wave) -> torch.Tensor:
        return self.tagger.features(torch.from_numpy(fit_length(wave))[None])


def frechet(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Fréchet distance between two sets of embeddings, each of shape = (n, width).

    Covariances are shrunk to their diagonals by a tenth, since sets are smaller than embeddings.
    """
    from scipy.linalg import sqrtm

    def moments(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        cov = np.cov(points.T)
        return points.mean(axis=0), 0.9 * cov + 0.1 * np.diag(np.diag(cov))

    (m1, c1), (m2, c2) = moments(first), moments(second)
    root = sqrtm(c1 @ c2)
    return float(((m1 - m2) ** 2).sum() + np.trace(c1 + c2 - 2 * np.real(root)))


def log_mel(wave: Wave) -> NDArray[np.float32]:
    """Log-mel, shape = (n_frames, n_mels), of a 16 kHz wave."""
    return FRONT(torch.from_numpy(np.ascontiguousarray(wave))[None])[0].numpy()


FRONT = LogMel()
