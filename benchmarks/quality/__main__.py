"""One table of how good a checkpoint is, on recordings that its training has not seen.

    python -m benchmarks.quality --sounds manifest.csv [--checkpoint pocket] [--parts PART ...]
    [--json FILE] [--sheets DIR]

The judge (benchmarks/tagger.py) is another network than the CLAP that ranks takes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality import generation, reconstruction, repair, retrieval, transfer
from benchmarks.quality.hearing import Judge, Recording, held_out
from benchmarks.quality.prompts import FIRST_FORTY, PROMPTS
from benchmarks.quality.tables import print_tables
from engine import Engine
from engine.training.corpus import RATE

PARTS = ("retrieval", "generation", "transfer", "repair", "reconstruction", "solvers")
SOLVERS = {"dpm++, 20 steps": ("dpm++", 20), "ddim, 200 steps": ("ddim", 200)}
SOLVER_SEEDS = range(3)


def run(part: str, engine: Engine, judge: Judge, recordings: list[Recording], args: Any) -> Any:
    """One part's figures."""
    if part == "retrieval":
        return retrieval.measure(engine.networks.clap, recordings)
    if part == "generation":
        return _generation(engine, judge, recordings, args)
    if part == "transfer":
        clips = transfer.sources(recordings, args.clips)
        return {
            "curves": transfer.measure(engine, judge, clips),
            "seed case": transfer.seed_case(engine, judge),
        }
    if part == "repair":
        return repair.holes(engine, recordings, 3 * args.clips) | repair.highs(
            engine, recordings, args.clips
        )
    if part == "reconstruction":
        clips = [r.wave[: 4 * RATE] for r in recordings[:: args.every]]
        return reconstruction.measure(engine.networks, clips)
    return _solvers(engine, judge, recordings, args)


def _generation(
    engine: Engine, judge: Judge, recordings: list[Recording], args: Any
) -> dict[str, Any]:
    make = generation.maker(engine, takes=args.takes)
    figures, waves = generation.measure(
        make, judge, PROMPTS.items(), range(args.seeds), "generation"
    )
    rows = {"generated": figures} | generation.references(judge, recordings)
    if args.sheets:
        generation.draw(dict(list(waves.items())[:40]), args.sheets / "generated.png")
    made = {
        "prompts": waves.values(),
        "the recordings' captions": generation.from_captions(engine, recordings, takes=args.takes),
    }
    distances = generation.distances(judge, made, recordings)
    buzz = generation.frame_rate_buzz(make, engine.networks.geometry.hop_samples)
    return {
        "agreement": rows,
        "distances": {"Fréchet": distances},
        "noise": {"autocorrelation at the frame rate": {"": buzz}},
    }


def _solvers(
    engine: Engine, judge: Judge, recordings: list[Recording], args: Any
) -> dict[str, dict[str, float]]:
    """The default solver against ten times the steps, over three seeds: mean and spread."""
    rows, prompts = {}, FIRST_FORTY[:: max(1, len(FIRST_FORTY) // args.prompts)]
    for name, (sampler, steps) in SOLVERS.items():
        make = generation.maker(engine, steps=steps, sampler=sampler)
        found = []
        for seed in SOLVER_SEEDS:
            options: dict[str, Any] = {"sampler": sampler, "steps": steps, "seed": seed}
            agreed, _ = generation.measure(
                make, judge, prompts, range(seed, seed + 1), f"{name}, seed {seed}"
            )
            holes = repair.holes(engine, recordings, args.clips // 2, **options)
            highs = repair.highs(engine, recordings, args.clips // 2, **options)
            ratios = [
                float(np.mean([r["ratio"] for r in part.values()])) for part in (holes, highs)
            ]
            found.append((agreed["among the first three"], *ratios))
        names = ("agreement", "hole ratio", "highs ratio")
        rows[name] = {
            f"{what}{suffix}": float(value)
            for suffix, values in ((" mean", np.mean(found, 0)), (" spread", np.ptp(found, 0)))
            for what, value in zip(names, values, strict=True)
        }
    return rows


def main() -> None:
    """Run the parts asked for and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sounds", type=Path, required=True, help="manifest.csv of recordings")
    parser.add_argument("--checkpoint", default="pocket")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS[:-1])
    parser.add_argument("--clips", type=int, default=20, help="clips for transfer and repair")
    parser.add_argument("--every", type=int, default=3, help="reconstruct every n-th recording")
    parser.add_argument("--seeds", type=int, default=1, help="clips a prompt")
    parser.add_argument(
        "--takes", type=int, default=1, help="takes to choose a generated clip from"
    )
    parser.add_argument("--prompts", type=int, default=20, help="prompts for solvers, of 40")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--sheets", type=Path, help="write spectrogram sheets into this folder")
    args = parser.parse_args()
    engine, judge, recordings = Engine.load(args.checkpoint), Judge(), held_out(args.sounds)
    results = {}
    for part in args.parts:
        results[part] = run(part, engine, judge, recordings, args)
        print_tables(part, results[part])
        if args.json:
            args.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
