"""Whether CLAP finds the sound that a text means, and a word it was never taught."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.hearing import Recording, Wave, fresh
from engine.clap import Clap
from engine.training.corpus import RATE
from engine.training.sounds import KINDS

#: Forms of words that no caption of the corpus has.
UNSEEN_FORMS = (
    "you are listening to {}",
    "there goes {} again",
    "what you notice is {}",
    "an audio file with {} in it",
    "nothing but {} on this tape",
)
PROBES = Path(__file__).parent / "synonyms.csv"
CANDIDATES = 20


def recall(
    texts: NDArray[np.float32], sounds: NDArray[np.float32], among: tuple[int, ...] = (1, 10)
) -> dict[str, float]:
    """Share of texts whose own sound is among the k nearest, shape of both = (n, width)."""
    similarities = texts @ sounds.T
    ranks = (similarities > np.diag(similarities)[:, None]).sum(1)
    return {f"R@{k}": float((ranks < k).mean()) for k in among}


def measure(clap: Clap, recordings: list[Recording]) -> dict[str, dict[str, float]]:
    """Recall on recordings with their captions, on fresh synthesis in unseen words, and the
    synonym probes."""
    sounds = _sounds(clap, [recording.wave for recording in recordings])
    rows = {"recordings": recall(_texts(clap, [r.caption for r in recordings]), sounds)}
    rng = np.random.default_rng(3)
    kinds = list(KINDS)[::2]
    sounds = _sounds(clap, [fresh(kind) for kind in kinds])
    forms = [str(rng.choice(UNSEEN_FORMS)).format(KINDS[kind].phrases[0]) for kind in kinds]
    rows["synthesis, unseen words"] = recall(_texts(clap, forms), sounds)
    rows["synonyms"] = {"right of 20": synonyms(clap)}
    return rows


def read_probes() -> list[tuple[str, str]]:
    """(word, kind) pairs; the word stands in no caption."""
    with PROBES.open(newline="") as lines:
        return [(row["word"], row["kind"]) for row in csv.DictReader(lines)]


def synonyms(clap: Clap) -> float:
    """Share of probes whose kind is picked among 20 sounds of different families where possible."""
    hits = []
    for number, (word, kind) in enumerate(read_probes()):
        rng = np.random.default_rng((11, number))
        far = [k for k in KINDS if KINDS[k].family != KINDS[kind].family]
        others = [str(k) for k in rng.choice(far, CANDIDATES - 1, replace=False)]
        sounds = _sounds(clap, [fresh(k, number=number) for k in (kind, *others)])
        hits.append(int(np.argmax(sounds @ _texts(clap, [word])[0])) == 0)
    return float(np.mean(hits))


def _sounds(clap: Clap, waves: list[Wave]) -> NDArray[np.float32]:
    return np.stack([clap.audio(wave, RATE).numpy() for wave in waves])


def _texts(clap: Clap, texts: list[str]) -> NDArray[np.float32]:
    return np.stack([clap.text(text).numpy() for text in texts])
