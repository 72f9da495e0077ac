"""What strength does to a clip: nearer to the text, further from the source; and the seed case."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import signal
from tqdm import tqdm

from benchmarks.quality.hearing import Judge, Recording, Wave, fresh
from benchmarks.quality.prompts import PROMPTS, TRANSFER_TEXTS
from engine import Engine, Region, Transfer
from engine.training.corpus import RATE

STRENGTHS = (0.2, 0.4, 0.6, 0.8)
LONGEST_S, SHORTEST_S = 2.0, 1.0
SEED_TEXT = "an angry man shouting with sirens buzzing in the background"
SEED_STRENGTHS = (0.3, 0.4, 0.5, 0.7)
SIRENS = ("police siren", "ambulance siren", "air raid siren", "police siren yelp")
VOICES = ("man speaking", "angry man", "woman speaking", "conversation", "angry woman")
#: Levels of a siren under the narration, relative to it.
MIX_LEVELS_DB = (-10, 0)


def sources(recordings: list[Recording], n: int) -> list[Wave]:
    """`n` varied recordings, spread over the names, none shorter than a second."""
    long_enough = [
        r.wave[: round(LONGEST_S * RATE)] for r in recordings if len(r.wave) > SHORTEST_S * RATE
    ]
    return [long_enough[round(i)] for i in np.linspace(0, len(long_enough) - 1, n)]


def measure(engine: Engine, judge: Judge, clips: list[Wave], **options: Any) -> dict[str, Any]:
    """Means over clips and texts at each strength: the checkpoint's own CLAP to the text and to the
    source, and the judge's score of the text's label. `options` go to every edit."""
    names = ("similarity to the text", "similarity to the source", "judge's score of the text")
    rows: dict[str, list[float]] = {name: [] for name in names}
    clap = engine.networks.clap
    for strength in STRENGTHS:
        found = []
        for clip in tqdm(clips, desc=f"transfer {strength}", unit="clip"):
            source = clap.audio(clip, RATE)
            for text in TRANSFER_TEXTS:
                edit = Transfer(prompt=text, strength=strength, **options)
                take = engine.edit(Region(clip, RATE), edit).samples[:, 0]
                sound = clap.audio(take, RATE)
                heard = judge.scores(take, [PROMPTS[text]])[0]
                found.append((float(sound @ clap.text(text)), float(sound @ source), heard))
        for name, value in zip(names, np.mean(found, axis=0), strict=True):
            rows[name].append(float(value))
    return rows


def seed_case(engine: Engine, judge: Judge, **options: Any) -> dict[str, dict[str, float]]:
    """A narration turned into `SEED_TEXT`: is a siren heard, is speech still heard, does the
    rhythm of the words stay (correlation of envelopes). `options` go to every edit.

    First the source's own values, and those of the source with real synthetic sirens under it
    (means over four), which tell what the judge hears in a true mix.
    """
    source = fresh("man speaking", 4.0)
    rows = {"source": _heard(judge, source, source)}
    for db in MIX_LEVELS_DB:
        mixes = [source + 10 ** (db / 20) * fresh(kind, 4.0) for kind in SIRENS]
        found = [_heard(judge, source, mix) for mix in mixes]
        rows[f"source with sirens at {db} dB"] = {
            name: float(np.mean([row[name] for row in found])) for name in found[0]
        }
    for strength in SEED_STRENGTHS:
        edit = Transfer(prompt=SEED_TEXT, strength=strength, **options)
        take = engine.edit(Region(source, RATE), edit).samples[:, 0]
        rows[f"strength {strength}"] = _heard(judge, source, take)
    return rows


def _heard(judge: Judge, source: Wave, take: Wave) -> dict[str, float]:
    return {
        "siren, best rank": float(min(judge.rank(take, kind) for kind in SIRENS)),
        "voice, best rank": float(min(judge.rank(take, kind) for kind in VOICES)),
        "envelope correlation": envelope_correlation(source, take),
    }


def envelope_correlation(first: Wave, second: Wave) -> float:
    """Correlation of the two envelopes below 16 Hz."""
    low = signal.butter(2, 16, fs=RATE, output="sos")
    pair = [signal.sosfiltfilt(low, np.abs(wave.astype(np.float64))) for wave in (first, second)]
    return float(np.corrcoef(pair)[0, 1])
