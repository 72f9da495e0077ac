"""Train the judge of benchmarks/quality.

    python -m benchmarks.train_tagger --corpus DIR --sounds manifest.csv --minutes 25

A synthetic clip is asked for its kinds among all kinds of synthesis, a recording for its tags among
the frequent tags: neither says anything about the other's labels.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks.tagger import LABELS, WEIGHTS, WINDOW_SAMPLES, Tagger, fit_length
from engine.training.corpus import (
    RATE,
    Corpus,
    ShardWriter,
    build_recorded,
    build_synthetic,
    level,
)
from engine.training.loop import (
    Average,
    Losses,
    Trainee,
    autocast,
    device,
    fit,
    set_rate,
    warm_then_decay,
)
from engine.training.sounds import KINDS, single

JUDGE_SEED = 7919
BATCH = 64
LEARNING_RATE = 2e-3
#: Share of recordings in a batch.
RECORDED_SHARE = 0.2
#: Tags that say how long a recording is, not what it is.
FORMS = {"one-shot", "texture", "loop", "ambience", "tonal"}
FEWEST_RECORDINGS = 12


def build_singles(folder: Path, per_kind: int, seed: int = JUDGE_SEED) -> None:
    """Write one shard of `per_kind` clips of each kind of synthesis, if it isn't there."""
    if (folder / "single.json").exists():
        return
    writer = ShardWriter(folder, "single")
    for row, kind in enumerate(tqdm(KINDS, desc="singles", unit="kind")):
        for index in range(per_kind):
            made = single(kind, np.random.default_rng((seed, row, index)), 4.5, RATE)
            writer.add(level(made.samples), f"single:{kind}", made.captions[:1], (kind,), False)
    writer.close()


class TaggerTrainee(Trainee):
    """Cross-entropy towards the labels that a clip has, each equally, and binary cross-entropy
    beside it."""

    stateful = ("tagger", "optimizer")

    def __init__(self, corpus: Corpus) -> None:
        self.where = device()
        counts = Counter(
            tag
            for _, entry in corpus.clips
            if not _is_synthetic(entry.source)
            for tag in entry.kinds
        )
        tags = {tag for tag, n in counts.items() if n >= FEWEST_RECORDINGS} - FORMS
        self.labels = sorted(tags | set(KINDS))
        self.tagger = Tagger(len(self.labels)).to(self.where).train()
        self.average = Average(self.tagger, decay=0.995)
        self.optimizer = torch.optim.AdamW(
            self.tagger.parameters(), LEARNING_RATE, weight_decay=0.02
        )
        self.n_steps = 0
        self._hear(corpus, tags)

    def _hear(self, corpus: Corpus, tags: set[str]) -> None:
        """Features, targets and masks of the whole corpus, in memory."""
        index = {label: row for row, label in enumerate(self.labels)}
        self.asked = torch.zeros(2, len(self.labels), dtype=torch.bool)
        self.asked[0, [index[tag] for tag in tags]] = True
        self.asked[1, [index[kind] for kind in KINDS]] = True
        features, targets, synthetic = [], [], []
        for number in tqdm(range(len(corpus)), desc="features", unit="clip"):
            entry = corpus.entry(number)
            found = [index[kind] for kind in entry.kinds if kind in index]
            if not found:
                continue
            wave = corpus.wave(number)[: 12 * RATE]
            if len(wave) < WINDOW_SAMPLES:
                wave = fit_length(wave)
            with torch.inference_mode():
                mel = self.tagger.features(torch.from_numpy(wave)[None].to(self.where))[0]
            features.append(mel.half().cpu().numpy())
            target = np.zeros(len(self.labels), np.float32)
            target[found] = 1.0
            targets.append(target)
            synthetic.append(_is_synthetic(entry.source))
        self.features, self.targets = features, np.stack(targets)
        self.synthetic = np.array(synthetic)
        share = np.where(self.synthetic, 1 - RECORDED_SHARE, RECORDED_SHARE)
        of_its_own = np.where(self.synthetic, self.synthetic.sum(), (~self.synthetic).sum())
        self.weights = share / of_its_own / (share / of_its_own).sum()

    def step(self, rng: np.random.Generator, done: float) -> Losses:
        """One step on a fresh batch."""
        set_rate(self.optimizer, LEARNING_RATE * warm_then_decay(done, self.n_steps, 100))
        chosen = rng.choice(len(self.features), size=BATCH, p=self.weights)
        features = torch.from_numpy(np.stack([self._window(int(i), rng) for i in chosen]))
        target = torch.from_numpy(self.targets[chosen]).to(self.where)
        asked = self.asked[torch.from_numpy(self.synthetic[chosen].astype(np.int64))]
        with autocast(self.where):
            logits = self.tagger(features.to(self.where)).float()
        loss = _loss(logits, target, asked.to(self.where))
        self.descend(loss, self.tagger, self.optimizer, 5.0)
        heard = logits.masked_fill(~asked.to(self.where), -1e4).argmax(1, keepdim=True)
        return {"loss": loss.item(), "top1": target.gather(1, heard).mean().item()}

    def _window(self, index: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """4 s of a clip, at another level, with a stretch and a band taken out, now and then
        blurred as a model's sound is."""
        n_frames = WINDOW_SAMPLES // self.tagger.front.hop
        clip = self.features[index]
        start = int(rng.integers(len(clip) - n_frames + 1))
        window = clip[start : start + n_frames].astype(np.float32)
        if rng.random() < 0.3:
            blurred = (np.roll(window, 1, 0) + window * 2 + np.roll(window, -1, 0)) / 4
            window = (np.roll(blurred, 1, 1) + blurred * 2 + np.roll(blurred, -1, 1)) / 4
        window = window + rng.uniform(-0.4, 0.3)
        at, low = int(rng.integers(n_frames)), int(rng.integers(window.shape[1]))
        window[at : at + int(rng.integers(1, 40))] = -1.6
        window[:, low : low + int(rng.integers(1, 10))] = -1.6
        return window.astype(np.float32)

    def export(self) -> None:
        """Write the averaged tagger beside `tagger.py`, in fp16."""
        weights = {
            k: v.half() if v.is_floating_point() else v for k, v in self.average.weights.items()
        }
        save_file(weights, WEIGHTS)
        LABELS.write_text(json.dumps(self.labels, indent=0) + "\n")


def _loss(logits: Tensor, target: Tensor, asked: Tensor) -> Tensor:
    share = target / target.sum(1, keepdim=True)
    choice = logits.masked_fill(~asked, -1e4).log_softmax(1)
    presence = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return -(share * choice).sum(1).mean() + (presence * asked).sum(1).mean() * 0.2


def _is_synthetic(source: str) -> bool:
    return source.startswith(("judge:", "single:"))


def main() -> None:
    """Make the judge's own corpus and train it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--corpus", type=Path, required=True, help="folder for the judge's own corpus and run"
    )
    parser.add_argument("--sounds", type=Path, required=True, help="manifest.csv of recordings")
    parser.add_argument("--mixed", type=int, default=4000, help="synthetic scenes")
    parser.add_argument("--per-kind", type=int, default=40, help="clips of each kind alone")
    parser.add_argument("--minutes", type=float, default=25.0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    folder = args.corpus / "corpus"
    build_recorded(args.sounds, folder)
    build_synthetic(folder, args.mixed, seed=JUDGE_SEED, prefix="judge")
    build_singles(folder, args.per_kind)
    trainee = TaggerTrainee(Corpus(folder))
    fit(trainee, args.corpus / "tagger", args.minutes)
    trainee.export()


if __name__ == "__main__":
    main()
