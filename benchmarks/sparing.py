"""What it costs in quality to guide fewer steps, or to run the UNet's lower levels in fewer.

    python -m benchmarks.sparing --sounds manifest.csv [--clips 10] [--json FILE]

Every way makes the same forty clips from text and the same transfers of held-out recordings
(strength 0.5) with the same seeds as the whole process does. `CPU time` is that of all edits
together against the whole process's, the ways in turn.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.preserve import distance_db
from benchmarks.quality import transfer
from benchmarks.quality.hearing import Judge, Wave, held_out, log_mel
from benchmarks.quality.prompts import FIRST_FORTY, TRANSFER_TEXTS
from benchmarks.quality.tables import print_tables
from engine import Engine, Generate, Region, Transfer
from engine.training.corpus import RATE

WHOLE = "every step whole"
WAYS: dict[str, dict[str, Any]] = {
    WHOLE: {},
    "guided from 0.2 on": {"guidance_start": 0.2},
    "guided up to 0.8": {"guidance_end": 0.8},
    "guided up to 0.5": {"guidance_end": 0.5},
    "guided from 0.2 to 0.8": {"guidance_start": 0.2, "guidance_end": 0.8},
    "reuse 2": {"reuse": 2},
    "reuse 3": {"reuse": 3},
    "reuse 2, guided up to 0.5": {"reuse": 2, "guidance_end": 0.5},
    "15 steps": {"steps": 15},
    "10 steps": {"steps": 10},
}
SECONDS, SEED = 4.0, 0

#: Figures of one take, by their names.
Figures = dict[str, float]


class Ways:
    """Makes takes in every way, and gathers what each costs and how it fares."""

    def __init__(self, engine: Engine, judge: Judge) -> None:
        self._engine, self._judge = engine, judge
        self.found: dict[str, list[Figures]] = {way: [] for way in WAYS}
        self.seconds = dict.fromkeys(WAYS, 0.0)

    def generate(self, prompt: str, kind: str) -> None:
        """A clip from a text: does the judge hear what was asked for?"""
        others = [own for _, own in FIRST_FORTY]
        place = others.index(kind)
        for way, wave in self._takes(None, Generate, prompt=prompt, seconds=SECONDS, rate=RATE):
            scores = self._judge.scores(wave, others)
            self.found[way].append(
                {
                    "nearest to its own of 40": float(scores.argmax() == place),
                    "generate, similarity": self._similarity(wave, prompt),
                }
            )

    def transfer(self, clip: Wave, text: str) -> None:
        """A recording into a text: how near it comes, and how far it goes."""
        source = log_mel(clip)
        for way, wave in self._takes(Region(clip, RATE), Transfer, prompt=text, strength=0.5):
            self.found[way].append(
                {
                    "transfer, similarity": self._similarity(wave, text),
                    "distance to source, dB": distance_db(source, log_mel(wave)),
                }
            )

    def _takes(self, region: Region | None, kind: Any, **options: Any) -> list[tuple[str, Wave]]:
        made = []
        for way, sparing in WAYS.items():
            edit = kind(**options, **sparing, seed=SEED)
            self._engine.networks.forget()
            start = time.process_time()
            take = self._engine.edit(region, edit).samples[:, 0]
            self.seconds[way] += time.process_time() - start
            made.append((way, take))
        whole = log_mel(made[0][1])
        for way, take in made:
            self.found[way].append({"distance to whole, dB": distance_db(whole, log_mel(take))})
        return made

    def _similarity(self, wave: Wave, text: str) -> float:
        clap = self._engine.networks.clap
        return float(clap.audio(wave, RATE) @ clap.text(text))

    def table(self) -> dict[str, Figures]:
        """Means of every figure, a row a way."""
        return {
            way: {"CPU time": self.seconds[way] / self.seconds[WHOLE], **_means(rows)}
            for way, rows in self.found.items()
        }


def _means(rows: list[Figures]) -> Figures:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}


def main() -> None:
    """Make all takes, print the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sounds", type=Path, required=True, help="manifest.csv of recordings")
    parser.add_argument("--checkpoint", default="pocket")
    parser.add_argument("--clips", type=int, default=10, help="recordings for transfers")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    ways = Ways(Engine.load(args.checkpoint), Judge())
    for prompt, kind in tqdm(FIRST_FORTY, desc="generate", unit="prompt"):
        ways.generate(prompt, kind)
    for clip in tqdm(transfer.sources(held_out(args.sounds), args.clips), desc="transfer"):
        for text in TRANSFER_TEXTS:
            ways.transfer(clip, text)
    print_tables("sparing", ways.table())
    if args.json:
        args.json.write_text(json.dumps(ways.table(), indent=2) + "\n")


if __name__ == "__main__":
    main()
