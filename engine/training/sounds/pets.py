"""Dogs and cats."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Sound, kind
from engine.training.sounds.throat import call


def bark_clip(rng: np.random.Generator, rate: int, size: float) -> Signal:
    """One bark of a dog of size 0 (terrier) to 1 (mastiff)."""
    n = int(rng.uniform(0.13, 0.19) * (0.8 + 0.7 * size) * rate)
    scale = 2.0 ** (1.1 - 1.7 * size)
    hz = 330 * scale * dsp.curve(n, [(0, 0.75), (0.3, 1.15), (1, 0.6)])
    mouth = dsp.curve(n, [(0, 0.7), (0.35, 1.15), (1, 0.75)]) * scale**0.6
    tracks = [(650 * mouth, 220, 1.0), (1350 * mouth, 350, 0.9), (2600 * mouth, 700, 0.35)]
    x = call(rng, n, rate, hz, tracks, 0.5, 0.3, 0.6)
    return x * dsp.curve(n, [(0, 0), (0.08, 1), (0.55, 0.7), (1, 0)]) ** 1.2


@kind(
    "dog bark",
    "a dog barking, a dog bark, a barking dog, dogs barking, a dog going woof, a guard dog "
    "barking, barking, a hound barking",
)
def dog_bark(rng: np.random.Generator, n: int, rate: int) -> Sound:
    size, group = rng.uniform(0, 1), int(rng.integers(1, 4))
    out, t = np.zeros(n), rng.uniform(0.05, 0.6)
    while t < n / rate - 0.1:
        for _ in range(group):
            dsp.add(out, bark_clip(rng, rate, size), int(t * rate), rng.uniform(0.7, 1.0))
            t += rng.uniform(0.3, 0.5)
        t += rng.uniform(0.1, 1.2)
    out = dsp.room(rng, out, rate, rng.uniform(0.3, 0.9), 0.2)
    return out, {"size": dsp.grade(size, 0.3, 0.7, ("small", "", "big"))}


@kind(
    "dog growl",
    "a dog growling, a growling dog, a dog snarling, an aggressive dog growling, a snarling "
    "hound, a low dog growl, an angry dog",
)
def dog_growl(rng: np.random.Generator, n: int, rate: int) -> Signal:
    length, base = rng.uniform(1.2, 2.4), rng.uniform(65, 105)

    def clip() -> Signal:
        m = int(length * rate)
        flaps = dsp.firings(rng, base * dsp.wander(rng, m, rate, 5, 0.85, 1.25), m, rate, 0.3, 3)
        source = dsp.unit(flaps) + 0.35 * dsp.white(rng, m)
        tracks = [
            (dsp.wander(rng, m, rate, 3, 350, 550), 180, 1),
            (dsp.wander(rng, m, rate, 3, 1000, 1400), 300, 0.6),
            (2500.0, 700, 0.25),
        ]
        return dsp.unit(dsp.sculpt(source, dsp.peak_gains(m, rate, tracks))) * dsp.swell(
            m, rate, 0.35, 0.4
        )

    return dsp.one_shots(rng, n, rate, clip, length, 2)


@kind(
    "dog whining",
    "a dog whining, a puppy whimpering, a whimpering dog, a sad puppy, a dog whimpering, a "
    "puppy crying, a begging dog",
)
def dog_whine(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(650, 1000)

    def clip() -> Signal:
        m = int(rng.uniform(0.3, 0.7) * rate)
        hz = base * rng.uniform(0.9, 1.15) * dsp.curve(m, [(0, 0.85), (0.3, 1.2), (1, 0.8)])
        hz = dsp.vibrato(rng, hz, m, rate, 0.02, 9)
        return dsp.wavetable(hz, np.array([1, 0.35, 0.15, 0.1]), m, rate) * dsp.swell(
            m, rate, 0.08, 0.15
        )

    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.7, 1.2), 0.2), clip)


@kind(
    "cat meow",
    "a cat meowing, a cat meow, a meowing cat, a kitten meowing, a hungry cat, a cat crying for "
    "food, a house cat",
)
def cat(rng: np.random.Generator, n: int, rate: int) -> Sound:
    base = dsp.log_uniform(rng, 450, 850)

    def clip() -> Signal:
        m = int(rng.uniform(0.55, 1.0) * rate)
        hz = (
            base
            * dsp.curve(m, [(0, 0.8), (0.25, 1.15), (0.6, 1.05), (1, 0.7)])
            * rng.uniform(0.92, 1.08)
        )
        first = dsp.curve(m, [(0, 500), (0.2, 900), (0.45, 1300), (1, 600)]) * (base / 600) ** 0.4
        second = (
            dsp.curve(m, [(0, 2600), (0.25, 2300), (0.5, 1900), (1, 1100)]) * (base / 600) ** 0.4
        )
        x = call(
            rng,
            m,
            rate,
            hz,
            [(first, 220, 1), (second, 350, 0.7), (4200.0, 900, 0.25)],
            0.05,
            0.05,
            0.5,
        )
        return x * dsp.swell(m, rate, 0.12, 0.3)

    x = dsp.one_shots(rng, n, rate, clip, 1.0, 4)
    return dsp.room(rng, x, rate, 0.3, 0.12), {
        "pitch": dsp.grade(base, 520, 720, ("low", "", "high"))
    }


@kind(
    "cat purring",
    "a cat purring, a purring cat, a contented cat, purring, a kitten purring, the purr of a cat",
    texture=True,
)
def purr(rng: np.random.Generator, n: int, rate: int) -> Signal:
    p = dsp.cycles(rng.uniform(0.4, 0.7), n, rate, rng.random()) % 1.0
    inhale = p < 0.48
    gap = np.clip(8 * np.minimum(np.abs(p - 0.48), np.minimum(p, 1 - p)), 0.05, 1)
    flaps = dsp.firings(rng, np.where(inhale, 24.0, 27.0) * rng.uniform(0.9, 1.1), n, rate, 0.2)
    x = dsp.body(flaps, rate, [(110, 2, 1), (330, 3, 0.5), (900, 3, 0.25)])
    breath = dsp.bandpass(dsp.white(rng, n), 400, 2500, rate) * np.where(inhale, 0.1, 0.05)
    return dsp.unit(x * gap * np.where(inhale, 0.8, 1.0)) + breath * gap


@kind(
    "cat hissing",
    "a cat hissing, an angry cat, a cat fight, a hissing cat, a cat spitting and yowling, a "
    "cat's hiss, a furious cat",
)
def cat_hiss(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def hiss() -> Signal:
        m = int(rng.uniform(0.5, 0.9) * rate)
        return dsp.band_noise(rng, m, rate, 2200, 6500) * dsp.curve(
            m, [(0, 0), (0.06, 1), (0.6, 0.7), (1, 0)]
        )

    def yowl() -> Signal:
        m = int(rng.uniform(0.6, 1.1) * rate)
        hz = rng.uniform(450, 700) * dsp.wander(rng, m, rate, 5, 0.8, 1.25)
        x = call(rng, m, rate, hz, [(1000.0, 350, 1), (2300.0, 500, 0.8)], 0.6, 0.2, 0.4)
        return x * dsp.swell(m, rate, 0.08, 0.2)

    out, t = np.zeros(n), rng.uniform(0, 0.4)
    while t < n / rate - 0.2:
        x = hiss() if dsp.chance(rng, 0.7) else yowl()
        dsp.add(out, x, int(t * rate))
        t += x.size / rate + rng.uniform(0.05, 0.6)
    return out
