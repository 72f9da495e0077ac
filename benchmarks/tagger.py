"""The judge: a tagger that names the sounds in a clip, trained apart from everything it judges.

    python -m benchmarks.tagger --corpus DIR --sounds manifest.csv --minutes 8

Another architecture (a plain CNN), other synthesis seeds, and the recordings that training may
see; never the CLAP that ranks takes. Its weights lie beside this file, so that
`benchmarks/quality.py` starts at once.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.mel import LogMel
from engine.training.corpus import RATE, Corpus, build_recorded, build_synthetic
from engine.training.loop import (
    Average,
    Losses,
    autocast,
    device,
    fit,
    set_rate,
    to_tensor,
    warm_then_decay,
)

WEIGHTS = Path(__file__).parent / "tagger.safetensors"
LABELS = Path(__file__).parent / "tagger.json"
WINDOW_SAMPLES = 4 * RATE
JUDGE_SEED = 7919
BATCH = 32


class Tagger(nn.Module):
    """Log-mel CNN: scores a label, and the embedding before them."""

    def __init__(self, n_labels: int, width: int = 32) -> None:
        super().__init__()
        self.front = LogMel(n_fft=1024, hop=200, n_mels=80)
        widths = [1, width, width * 2, width * 3, width * 4]
        self.blocks = nn.Sequential(*(self._block(i, o) for i, o in pairwise(widths)))
        self.embed = nn.Linear(widths[-1] * 2, 128)
        self.score = nn.Linear(128, n_labels)

    @staticmethod
    def _block(n_in: int, n_out: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, padding=1, groups=n_out // 16, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.AvgPool2d(2),
        )

    def embedding(self, wave: Tensor) -> Tensor:
        """Embedding, shape = (n_batch, 128), of 16 kHz waves, shape = (n_batch, n_samples)."""
        mel = (self.front(wave)[:, None] + 5.0) / 4.0
        x = self.blocks(mel.contiguous(memory_format=torch.channels_last)).mean(3)  # over mel
        pooled = torch.cat((x.mean(2), x.amax(2)), dim=1)
        return nn.functional.relu(self.embed(pooled))

    def forward(self, wave: Tensor) -> Tensor:
        """Logits, shape = (n_batch, n_labels)."""
        return self.score(self.embedding(wave))


def fit_length(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """A wave brought to the tagger's 4 s at its reference level: repeated, or its loudest
    stretch."""
    from engine.training.corpus import level

    wave = level(wave)
    if len(wave) < WINDOW_SAMPLES:
        return np.resize(wave, WINDOW_SAMPLES).astype(np.float32)
    power = np.cumsum(np.concatenate(([0.0], wave.astype(np.float64) ** 2)))
    starts = np.arange(0, len(wave) - WINDOW_SAMPLES + 1, RATE // 4)
    best = starts[np.argmax(power[starts + WINDOW_SAMPLES] - power[starts])]
    return wave[best : best + WINDOW_SAMPLES]


class TaggerTrainee:
    """Binary cross-entropy over labels: kinds of synthesis and frequent tags of recordings."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus, self.where = corpus, device()
        counts = Counter(kind for _, entry in corpus.clips for kind in entry.kinds)
        self.labels = sorted(label for label, n in counts.items() if n >= 12)
        self.index = {label: i for i, label in enumerate(self.labels)}
        self.tagger = Tagger(len(self.labels)).to(self.where).train()
        self.average = Average(self.tagger, decay=0.995)
        self.optimizer = torch.optim.AdamW(self.tagger.parameters(), 2e-3, weight_decay=0.02)
        self.n_steps = 0

    def step(self, rng: np.random.Generator, done: float) -> Losses:
        """One step on a fresh batch."""
        set_rate(self.optimizer, 2e-3 * warm_then_decay(done, self.n_steps, 50))
        chosen = self.corpus.draw(rng, BATCH)
        waves = to_tensor([self._crop(int(i), rng) for i in chosen], self.where)
        with autocast(self.where):
            logits = self.tagger(waves).float()
        target = self._targets(chosen)
        weight = 1.0 + 12.0 * target
        loss = nn.functional.binary_cross_entropy_with_logits(logits, target, weight)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.average.update(self.tagger, self.n_steps)
        self.n_steps += 1
        hit = target.gather(1, logits.argmax(1, keepdim=True)).mean().item()
        return {"loss": loss.item(), "top1": hit}

    def _crop(self, index: int, rng: np.random.Generator) -> NDArray[np.float32]:
        if rng.random() < 0.5:
            return fit_length(self.corpus.wave(index))
        wave = self.corpus.crop(index, WINDOW_SAMPLES, rng) * 10 ** (rng.uniform(-6, 4) / 20)
        return wave.astype(np.float32)

    def _targets(self, chosen: NDArray[np.int64]) -> Tensor:
        target = torch.zeros(len(chosen), len(self.labels))
        for row, index in enumerate(chosen):
            for kind in self.corpus.entry(int(index)).kinds:
                if kind in self.index:
                    target[row, self.index[kind]] = 1.0
        return target.to(self.where)

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimizer, average and step."""
        return {
            "tagger": self.tagger.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.weights,
            "n_steps": self.n_steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The way back from `state_dict`."""
        self.tagger.load_state_dict(state["tagger"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.weights, self.n_steps = state["average"], state["n_steps"]

    def export(self) -> None:
        """Write the averaged tagger beside this file, in fp16."""
        from safetensors.torch import save_file

        weights = {
            k: v.half() if v.is_floating_point() else v for k, v in self.average.weights.items()
        }
        save_file(weights, WEIGHTS)
        LABELS.write_text(json.dumps(self.labels, indent=0) + "\n")


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


def main() -> None:
    """Make the judge's own corpus and train it."""
    parser = argparse.ArgumentParser(description="train the judge of benchmarks/quality.py")
    parser.add_argument(
        "--corpus", type=Path, required=True, help="folder for the judge's own corpus"
    )
    parser.add_argument("--sounds", type=Path, required=True, help="manifest.csv of recordings")
    parser.add_argument("--synthetic", type=int, default=4000)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    folder = args.corpus / "corpus"
    if not (folder / "recorded.json").exists():
        build_recorded(args.sounds, folder)
    build_synthetic(folder, args.synthetic, seed=JUDGE_SEED, prefix="judge")
    trainee = TaggerTrainee(Corpus(folder))
    fit(trainee, args.corpus / "tagger", args.minutes)
    trainee.export()


if __name__ == "__main__":
    main()
