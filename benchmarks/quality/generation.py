"""Whether a generated clip sounds like its prompt to the judge, beside real and trivial ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.quality.hearing import Judge, Recording, Wave, frechet, fresh, log_mel
from benchmarks.quality.prompts import FIRST_FORTY, PROMPTS
from engine import Engine, Generate
from engine.training.corpus import RATE

SECONDS, SHORTEST_S = 4.0, 0.5
#: The judge agrees when the label asked for is among its first three of all kinds.
AGREEMENT_RANK = 3
NOISY_PROMPTS = ("white noise", "heavy rain falling", "a waterfall", "applause")

Maker = Callable[[str, int], Wave]


def maker(engine: Engine, **options: Any) -> Maker:
    """Makes a clip of a prompt with a seed: of several takes the one that ranks first. `options` go
    to every edit."""

    def make(prompt: str, seed: int) -> Wave:
        edit = Generate(prompt=prompt, seconds=SECONDS, rate=RATE, seed=seed, **options)
        return engine.edit(None, edit).samples[:, 0]

    return make


def measure(
    make: Maker, judge: Judge, prompts: Iterable[tuple[str, str]], seeds: range, label: str
) -> tuple[dict[str, Any], dict[str, Wave]]:
    """Agreement figures over prompts and seeds, and the first seed's clips."""
    prompts = list(prompts)
    ranks, own, waves = [], [], {}
    others = [kind for _, kind in FIRST_FORTY]
    for prompt, kind in tqdm(prompts, desc=label, unit="prompt"):
        for seed in seeds:
            wave = make(prompt, seed)
            waves.setdefault(prompt, wave)
            ranks.append(judge.rank(wave, kind))
            if kind in others:
                scores = judge.scores(wave, others)
                own.append(int((scores > scores[others.index(kind)]).sum()))
    found = {
        "nearest to its own of 40": float(np.mean(np.array(own) == 0)) if own else float("nan"),
        "first of all kinds": float(np.mean(np.array(ranks) == 0)),
        "among the first three": float(np.mean(np.array(ranks) < AGREEMENT_RANK)),
        "median rank of all kinds": float(np.median(ranks)) + 1,
    }
    return found, waves


def references(judge: Judge, recordings: list[Recording]) -> dict[str, dict[str, float]]:
    """The same figures for fresh synthesis of the kinds (ceiling) and for silence, and how often
    one of a recording's own tags is among the judge's first three tags."""
    synthesis, _ = measure(
        lambda prompt, seed: fresh(PROMPTS[prompt], SECONDS, seed),
        judge,
        PROMPTS.items(),
        range(1),
        "ceiling",
    )
    noise, _ = measure(_noise, judge, PROMPTS.items(), range(1), "noise")
    return {
        "fresh synthesis (ceiling)": synthesis,
        "noise": noise,
        "recordings, own tags": {"among the first three": _own_tags(judge, recordings)},
    }


def _noise(prompt: str, seed: int) -> Wave:
    rng = np.random.default_rng((seed, len(prompt)))
    return (0.1 * rng.standard_normal(round(SECONDS * RATE))).astype(np.float32)


def _own_tags(judge: Judge, recordings: list[Recording]) -> float:
    tags = [row for row in range(len(judge.labels)) if row not in set(judge.kinds)]
    asked = np.array(tags + [judge.index[tag] for tag in judge.labels if _is_both(judge, tag)])
    hits = []
    for recording in recordings:
        known = {judge.index[tag] for tag in recording.tags if tag in judge.index}
        if known & set(asked.tolist()):
            logits = judge.logits(recording.wave)
            first = asked[np.argsort(-logits[asked])[:AGREEMENT_RANK]]
            hits.append(bool(known & set(first.tolist())))
    return float(np.mean(hits))


def _is_both(judge: Judge, tag: str) -> bool:
    """Whether a kind of synthesis is a frequent tag of recordings too (see train_tagger.py)."""
    return judge.index[tag] in set(judge.kinds) and " " not in tag


def from_captions(engine: Engine, recordings: list[Recording], **options: Any) -> list[Wave]:
    """A clip of each recording's caption, as long as it is (but for very short ones)."""
    waves = []
    for seed, recording in enumerate(tqdm(recordings, desc="captions", unit="clip")):
        seconds = max(len(recording.wave) / RATE, SHORTEST_S)
        edit = Generate(prompt=recording.caption, seconds=seconds, rate=RATE, seed=seed, **options)
        waves.append(engine.edit(None, edit).samples[:, 0])
    return waves


def distances(
    judge: Judge, made: Mapping[str, Iterable[Wave]], recordings: list[Recording]
) -> dict[str, float]:
    """Fréchet distance in the judge's embedding to the held-out recordings: of each set that was
    made, of fresh synthesis of the prompts, and of one half of the recordings to the other."""
    real = _embeddings(judge, [recording.wave for recording in recordings])
    synthesis = [fresh(kind, SECONDS) for kind in PROMPTS.values()]
    sets = {**made, "fresh synthesis of the prompts": synthesis}
    found = {name: frechet(_embeddings(judge, waves), real) for name, waves in sets.items()}
    order = np.random.default_rng(0).permutation(len(real))
    half = len(real) // 2
    return found | {"between two halves": frechet(real[order[:half]], real[order[half:]])}


def _embeddings(judge: Judge, waves: Iterable[Wave]) -> NDArray[np.float64]:
    return np.stack([judge.embedding(wave) for wave in waves])


def frame_rate_buzz(make: Maker, hop: int) -> float:
    """Mean normalised autocorrelation, at the vocoder's hop, of clips that should be noise; a
    vocoder that makes every frame of a smooth mel alike buzzes at its frame rate."""
    found = []
    for prompt in NOISY_PROMPTS:
        wave = make(prompt, 0)[RATE // 2 : -RATE // 2].astype(np.float64)
        found.append((wave[hop:] * wave[:-hop]).mean() / (wave**2).mean())
    return float(np.mean(found))


def draw(waves: dict[str, Wave], path: Path, columns: int = 5) -> None:
    """A sheet of spectrograms of the generated clips."""
    from matplotlib.figure import Figure

    n_rows = -(-len(waves) // columns)
    figure = Figure(figsize=(15, 1.9 * n_rows), layout="constrained")
    for place, (prompt, wave) in enumerate(waves.items()):
        axes = figure.add_subplot(n_rows, columns, place + 1)
        axes.imshow(log_mel(wave).T, origin="lower", aspect="auto", cmap="magma", vmin=-9, vmax=2)
        axes.set_title(prompt, fontsize=8)
        axes.set_xticks([])
        axes.set_yticks([])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=60)
