"""Tuned bars and tongues."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Sound, kind
from engine.training.sounds.melody import tune


def mallet(
    rng: np.random.Generator,
    n: int,
    rate: int,
    low: float,
    high: float,
    ratios: Sequence[float],
    levels: Sequence[float],
    t60: float,
    tremolo: float = 0.0,
) -> Sound:
    """A little tune on tuned bars."""
    root = dsp.log_uniform(rng, low, high)
    scale = dsp.pick(rng, ((0, 2, 4, 7, 9, 12), (0, 3, 5, 7, 10, 12), (0, 2, 4, 5, 7, 9, 11, 12)))
    step = rng.uniform(0.14, 0.4)
    out = np.zeros(n)
    for time in np.arange(rng.uniform(0, 0.3), n / rate, step):
        if dsp.chance(rng, 0.2):
            continue
        hz = root * 2 ** (dsp.pick(rng, scale) / 12)
        length = t60 * (root / hz) ** 0.5
        bar = dsp.modes(
            rng,
            int(length * rate),
            rate,
            [hz * r for r in ratios],
            [length / r**0.6 for r in ratios],
            levels,
        )
        dsp.add(out, bar, int(time * rate), rng.uniform(0.6, 1))
    return out * (1 + tremolo * dsp.sine(5.5, n, rate)), {
        "speed": dsp.grade(step, 0.2, 0.32, ("fast", "", "slow"))
    }


@kind(
    "xylophone",
    "a xylophone, a xylophone melody, someone playing the xylophone, a toy xylophone, xylophone "
    "notes, a tune on a xylophone",
)
def xylophone(rng: np.random.Generator, n: int, rate: int) -> Sound:
    return mallet(rng, n, rate, 700, 1100, (1, 3.0, 6.1), (1, 0.5, 0.25), 0.28)


@kind(
    "marimba",
    "a marimba, a marimba melody, someone playing the marimba, marimba notes, a warm marimba, a "
    "tune on a marimba",
)
def marimba(rng: np.random.Generator, n: int, rate: int) -> Sound:
    return mallet(rng, n, rate, 150, 350, (1, 3.93, 9.2), (1, 0.2, 0.06), 0.8)


@kind(
    "vibraphone",
    "a vibraphone, a vibraphone melody, vibes playing jazz, someone playing the vibraphone, "
    "vibraphone notes, a mellow vibraphone",
)
def vibraphone(rng: np.random.Generator, n: int, rate: int) -> Sound:
    return mallet(rng, n, rate, 250, 500, (1, 4.0, 10.0), (1, 0.12, 0.03), 2.5, 0.4)


@kind(
    "glockenspiel",
    "a glockenspiel, glockenspiel notes, a glockenspiel melody, a bright bell-like melody, a "
    "celesta, tiny bells playing a tune",
)
def glockenspiel(rng: np.random.Generator, n: int, rate: int) -> Sound:
    return mallet(rng, n, rate, 1300, 2000, (1, 2.71, 5.15), (1, 0.35, 0.15), 1.4)


@kind(
    "music box",
    "a music box, a music box melody, a toy music box, a wind-up music box, a lullaby on a "
    "music box, a delicate music box",
)
def music_box(rng: np.random.Generator, n: int, rate: int) -> Signal:
    tune, pace = mallet(rng, n, rate, 800, 1200, (1, 2.0, 3.01, 5.4), (1, 0.15, 0.35, 0.2), 1.2)
    ratchet = dsp.place(n, rate, np.arange(0, n / rate, 0.09), lambda: 0.03 * dsp.white(rng, 60))
    return tune + 0.3 * ratchet, pace


@kind(
    "steel drum",
    "a steel drum, a steelpan, caribbean steel drums, a steel drum melody, steel pans playing, "
    "a tropical steel drum",
)
def steel_drum(rng: np.random.Generator, n: int, rate: int) -> Sound:
    x, pace = mallet(rng, n, rate, 350, 600, (1, 2.0, 2.99, 4.03), (1, 0.6, 0.35, 0.2), 0.7)
    return dsp.drive(0.7 * x, 1.2), pace


@kind(
    "kalimba",
    "a kalimba, a thumb piano, a kalimba melody, someone playing the kalimba, an african thumb "
    "piano, an mbira",
)
def kalimba(rng: np.random.Generator, n: int, rate: int) -> Sound:
    def note(hz: float, s: float) -> Signal:
        x = dsp.modes(
            rng, int(1.1 * rate), rate, [hz, hz * 2.0, hz * 5.6], [1.1, 0.4, 0.12], [1, 0.15, 0.35]
        )
        return x

    x, mood = tune(rng, n, rate, 62, 76, note, 0.14, 0.35)
    return dsp.room(rng, x, rate, 0.8, 0.15), mood
