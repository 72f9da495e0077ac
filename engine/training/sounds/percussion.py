"""Shakers, blocks, gongs and chimes."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.drums import repeated
from engine.training.sounds.dsp import Signal
from engine.training.sounds.impacts import hit
from engine.training.sounds.kinds import Sound, kind


def shaken(rng: np.random.Generator, n: int, rate: int, per_second: float, sharp: float) -> Signal:
    """Loudness of something shaken to and fro."""
    p = dsp.cycles(per_second, n, rate, rng.random()) % 1.0
    accent = np.where(np.floor(dsp.cycles(per_second, n, rate)) % 2 == 0, 1.0, 0.65)
    return (np.minimum(1, p / 0.12) * np.exp(-sharp * p)) * accent


@kind(
    "tambourine",
    "a tambourine, a tambourine being shaken, a shaken tambourine, a jingling tambourine, a "
    "tambourine rhythm, the jingles of a tambourine",
)
def tambourine(rng: np.random.Generator, n: int, rate: int) -> Sound:
    per_second = rng.uniform(3, 8)
    level = shaken(rng, n, rate, per_second, 5)
    jingles = dsp.sparks(rng, n, rate, 3500 * level, 2)
    peaks = [(hz * rng.uniform(0.97, 1.03), 45, 1.0) for hz in (3300, 4450, 5300, 6100, 7100)]
    return (dsp.body(jingles, rate, peaks, 0.2)), {
        "speed": dsp.grade(per_second, 4.5, 6.5, ("slow", "", "fast"))
    }


@kind(
    "shaker",
    "a shaker, a shaker being shaken, maracas, an egg shaker, a maraca rhythm, a shaken maraca",
)
def shaker(rng: np.random.Generator, n: int, rate: int) -> Sound:
    per_second = rng.uniform(3, 8)
    level = shaken(rng, n, rate, per_second, 6)
    beads = dsp.sparks(rng, n, rate, 6000 * level, 2)
    return (dsp.bandpass(beads, 2800, 7000, rate)), {
        "speed": dsp.grade(per_second, 4.5, 6.5, ("slow", "", "fast"))
    }


@kind(
    "sleigh bells",
    "sleigh bells, jingle bells being shaken, christmas bells, santa's sleigh bells, little "
    "jingling bells, a string of sleigh bells",
)
def sleigh_bells(rng: np.random.Generator, n: int, rate: int) -> Signal:
    level = shaken(rng, n, rate, rng.uniform(2.5, 4.5), 4)
    bells = dsp.sparks(rng, n, rate, 900 * level, 2)
    peaks = [
        (hz * rng.uniform(0.98, 1.02), 130, 1.0) for hz in (2900, 3350, 3900, 4600, 5400, 6500)
    ]
    return dsp.body(bells, rate, peaks)


@kind(
    "cowbell",
    "a cowbell, a cowbell being hit, a rhythmic cowbell, a cowbell rhythm, someone playing a "
    "cowbell, the clonk of a cowbell",
)
def cowbell(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(500, 620)

    def clip() -> Signal:
        m = int(0.35 * rate)
        x = dsp.square(hz, m, rate) + dsp.square(hz * 1.48, m, rate)
        return dsp.bandpass(x, hz * 0.9, 4000, rate, 1) * dsp.decay(m, rate, 0.3)

    return repeated(rng, n, rate, clip, 0.35)


@kind(
    "woodblock",
    "a woodblock, a wood block being hit, a temple block, claves, a wooden percussion hit, a "
    "woodblock rhythm",
)
def woodblock(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz = rng.uniform(700, 1900)
    return (
        repeated(rng, n, rate, lambda: hit(rng, rate, hz, (1, 1.52, 2.7), 0.09, 0.3, 5000), 0.2)
    ), {"pitch": dsp.grade(hz, 950, 1450, ("low", "", "high"))}


@kind(
    "triangle",
    "a triangle, a triangle instrument, a struck triangle, the ting of a triangle, a ringing "
    "triangle, a percussion triangle",
)
def triangle(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(1300, 1900)
    partials = (1, 2.1, 2.78, 3.5, 4.2, 4.9)
    return repeated(rng, n, rate, lambda: hit(rng, rate, hz, partials, 1.8, 0.1, 7000, 0.2), 1.8)


@kind(
    "gong",
    "a gong, a gong being struck, a large gong, a chinese gong, a tam-tam, the crash of a gong, "
    "a struck gong",
)
def gong(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz = rng.uniform(75, 170)

    def clip() -> Signal:
        m = int(4.5 * rate)
        freqs = hz * np.concatenate([[1, 1.5, 2.1], np.sort(rng.uniform(2.3, 22, 26))])
        x = dsp.modes(rng, m, rate, freqs, 4.5 / (freqs / hz) ** 0.3, 1 / (freqs / hz) ** 0.35)
        bloom = 1 - 0.7 * np.exp(-np.arange(m) / (0.25 * rate))
        return x * bloom

    return (dsp.one_shots(rng, n, rate, clip, 4.5, 1)), {
        "pitch": dsp.grade(hz, 100, 140, ("low", "", "high"))
    }


@kind(
    "wind chimes",
    "wind chimes, wind chimes in the breeze, chimes tinkling, a wind chime, hanging chimes, "
    "chimes on a porch, tinkling chimes",
)
def wind_chimes(rng: np.random.Generator, n: int, rate: int) -> Signal:
    root = rng.uniform(900, 1500)
    tubes = [
        dsp.modes(
            rng,
            int(1.8 * rate),
            rate,
            [root * r, root * r * 2.76, root * r * 5.4],
            [1.8, 0.9, 0.4],
            [1, 0.5, 0.25],
        )
        for r in (1, 1.122, 1.26, 1.5, 1.68, 2.0)
    ]
    out = np.zeros(n)
    for time in dsp.scattered(rng, n / rate, rng.uniform(2, 6), 3):
        dsp.add(out, dsp.pick(rng, tubes), int(time * rate), rng.uniform(0.2, 1))
    return out


@kind(
    "singing bowl",
    "a singing bowl, a tibetan singing bowl, a meditation bowl, a struck singing bowl, a "
    "resonating bowl, a meditation bell",
)
def singing_bowl(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz = rng.uniform(170, 420)

    def clip() -> Signal:
        freqs = [hz * r * d for r in (1, 2.77, 5.1) for d in (1, 1.004)]
        return dsp.modes(rng, n, rate, freqs, [9, 9, 5, 5, 3, 3], [1, 0.8, 0.5, 0.4, 0.2, 0.15])

    return (dsp.one_shots(rng, n, rate, clip, 4.0, 1)), {
        "pitch": dsp.grade(hz, 230, 330, ("low", "", "high"))
    }
