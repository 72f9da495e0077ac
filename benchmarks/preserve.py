"""Does `preserve` keep more of the performance? Similarity to text against distance to source.

    python -m benchmarks.preserve --sounds manifest.csv [--clips 10] [--json FILE [--resume]]
    [--png FILE]

Every clip is turned into every text by the shallow reverse process and with `preserve`, at rising
strengths. Each way gives a curve: the least distance at which a similarity is reached. A pair is
won where `preserve`'s curve lies lower, on average over the similarities both reach.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.quality.hearing import Wave, held_out, log_mel
from benchmarks.quality.transfer import envelope_correlation
from engine import Engine, Region, Transfer
from engine.training.corpus import RATE

TEXTS = (
    "heavy rain falling",
    "a monster growling",
    "a woman laughing",
    "birds singing",
    "a police siren",
)
STRENGTHS = (0.3, 0.45, 0.6, 0.75, 0.9)
LENGTH_S, SHORTEST_S = 2.5, 1.5
#: Levels of similarity at which two curves are compared.
N_LEVELS = 21
DB = 20 / np.log(10)

#: (similarity to text, distance to source in dB, correlation of envelopes), a row a strength.
Points = NDArray[np.float64]


def sources(manifest: Path, n: int) -> dict[str, Wave]:
    """Held-out recordings spread over the names, the loudest stretch of each."""
    found = {
        r.name: _loudest(r.wave) for r in held_out(manifest) if len(r.wave) > SHORTEST_S * RATE
    }
    names = list(found)
    return {names[round(i)]: found[names[round(i)]] for i in np.linspace(0, len(names) - 1, n)}


def _loudest(wave: Wave) -> Wave:
    n = min(len(wave), round(LENGTH_S * RATE))
    sums = np.concatenate([[0.0], np.cumsum(np.square(wave, dtype=np.float64))])
    start = int(np.argmax(sums[n:] - sums[:-n]))
    return wave[start : start + n]


def points(engine: Engine, wave: Wave, text: str, preserve: float, steps: int) -> Points:
    """One way's points for a pair, the source itself first."""
    clap = engine.networks.clap
    wanted, region = clap.text(text), Region(wave, RATE)
    mel, found = log_mel(wave), [(float(clap.audio(wave, RATE) @ wanted), 0.0, 1.0)]
    for strength in STRENGTHS:
        edit = Transfer(
            prompt=text, strength=strength, preserve=preserve, render="vocoder", steps=steps
        )
        take = engine.edit(region, edit).samples[:, 0]
        likeness = float(clap.audio(take, RATE) @ wanted)
        found.append((likeness, distance_db(mel, log_mel(take)), envelope_correlation(wave, take)))
    return np.array(found)


def distance_db(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Root of the mean square between log-mels in dB, what lies 60 dB under the peak left out."""
    floor = max(float(first.max()), float(second.max())) - 60 / DB
    gap = np.maximum(first, floor) - np.maximum(second, floor)
    return float(np.sqrt(np.square(gap).mean()) * DB)


def least_distance(found: Points, levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least distance at which a curve reaches each similarity, on straight lines between points."""
    along = np.linspace(0, len(found) - 1, 40 * (len(found) - 1) + 1)
    likeness, distance = (np.interp(along, range(len(found)), found[:, i]) for i in (0, 1))
    return np.array([distance[likeness >= level - 1e-9].min() for level in levels])


def compare(shallow: Points, kept: Points) -> dict[str, Any]:
    """Both curves over the similarities that both reach; none where neither moves."""
    low, high = shallow[0, 0], min(shallow[:, 0].max(), kept[:, 0].max())
    if high - low < 0.02:
        return {"shallow": None, "preserve": None}
    levels = np.linspace(low, high, N_LEVELS)[1:]
    return {
        name: float(least_distance(found, levels).mean())
        for name, found in (("shallow", shallow), ("preserve", kept))
    }


def main() -> None:
    """Measure every pair, print what came of it, and write figures and curves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sounds", type=Path, required=True, help="manifest.csv of recordings")
    parser.add_argument("--checkpoint", default="pocket")
    parser.add_argument("--clips", type=int, default=10, help="clips; each with five texts")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--preserve", type=float, default=1.0)
    parser.add_argument("--json", type=Path, help="figures, written after every pair")
    parser.add_argument("--resume", action="store_true", help="keep the pairs that --json has")
    parser.add_argument("--png", type=Path)
    args = parser.parse_args()
    rows = json.loads(args.json.read_text())["pairs"] if args.resume else []
    rows = all_pairs(args, rows)
    results = summary(rows)
    print(json.dumps(results, indent=2))
    for row in lost(rows):
        print(
            f"not better: {row['clip']}, {row['text']}: {row['preserve']:.2f} dB "
            f"against {row['shallow']:.2f}"
        )
    if args.png:
        draw(rows, args.png)


def all_pairs(args: argparse.Namespace, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of every clip and text; those that are given are not measured again."""
    engine, clips = Engine.load(args.checkpoint, device="cpu"), sources(args.sounds, args.clips)
    known = {(row["clip"], row["text"]) for row in rows}
    todo = [(n, t) for n in clips for t in TEXTS if (Path(n).stem, t) not in known]
    for name, text in tqdm(todo, unit="pair"):
        rows = [*rows, pair_of(engine, name, clips[name], text, args)]
        if args.json:
            about = {"preserve": args.preserve, "steps": args.steps, "strengths": STRENGTHS}
            args.json.write_text(json.dumps(about | {"pairs": rows}, indent=1) + "\n")
    return rows


def pair_of(
    engine: Engine, name: str, wave: Wave, text: str, args: argparse.Namespace
) -> dict[str, Any]:
    """One row: both curves of a clip and a text, and how they compare."""
    pair = [points(engine, wave, text, p, args.steps) for p in (0.0, args.preserve)]
    row = {"clip": Path(name).stem, "text": text, **compare(*pair)}
    return row | {"points": [found.round(4).tolist() for found in pair]}


def compared(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pairs in which both ways move towards the text."""
    return [row for row in rows if row["shallow"] is not None]


def lost(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pairs in which `preserve` isn't nearer to the source."""
    return [row for row in compared(rows) if row["preserve"] >= row["shallow"]]


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the pairs."""
    both = compared(rows)
    shallow, kept = (float(np.mean([row[way] for row in both])) for way in ("shallow", "preserve"))
    curves = np.array([row["points"] for row in rows])  # (n_pairs, 2, n_points, 3)
    means = {
        way: curves[:, i].mean(axis=0).round(4).tolist()
        for i, way in enumerate(("shallow", "kept"))
    }
    return {
        "n_pairs": len(rows),
        "n_compared": len(both),
        "n_better": len(both) - len(lost(rows)),
        "distance at equal similarity, dB": {"shallow": shallow, "preserve": kept},
        "mean curves: similarity, distance, envelope": means,
    }


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """The curves of every pair, thin, and their mean, thick; and each pair's two distances."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    curves = np.array([row["points"] for row in rows])
    for way, colour, name in ((0, "tab:gray", "shallow"), (1, "tab:blue", "preserve")):
        for pair in curves[:, way]:
            left.plot(pair[:, 0], pair[:, 1], color=colour, alpha=0.15, linewidth=0.8)
        mean = curves[:, way].mean(axis=0)
        left.plot(mean[:, 0], mean[:, 1], "o-", color=colour, linewidth=2, label=name)
    left.set(xlabel="similarity to text (CLAP)", ylabel="distance to source (dB)")
    left.legend()
    both = compared(rows)
    pairs = np.array([(row["shallow"], row["preserve"]) for row in both])
    right.plot(*pairs.T, "o", markersize=4, color="tab:blue")
    most = float(pairs.max())
    right.plot([0, most], [0, most], color="black", linewidth=0.8)
    right.set(
        xlabel="shallow (dB)", ylabel="preserve (dB)", title="at equal similarity, a pair each"
    )
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
