"""Wild animals and monsters."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import kind
from engine.training.sounds.throat import call


@kind(
    "wolf howl",
    "a wolf howling, a howling wolf, wolves howling at the moon, a wolf howl, a long wolf howl "
    "at night, a coyote howling",
)
def wolf(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip(start: int) -> None:
        m = int(rng.uniform(2.0, 3.4) * rate)
        top = rng.uniform(420, 720)
        hz = top * dsp.curve(m, [(0, 0.55), (0.15, 0.95), (0.25, 1.0), (0.7, 0.95), (1, 0.6)])
        hz = dsp.vibrato(rng, hz, m, rate, 0.012, 5)
        x = dsp.wavetable(hz, np.array([1, 0.4, 0.12, 0.06, 0.03]), m, rate)
        dsp.add(out, x * dsp.swell(m, rate, 0.3, 0.9), start, rng.uniform(0.5, 1))

    out = np.zeros(n)
    clip(int(rng.uniform(0, 0.2) * n))
    for _ in range(int(rng.integers(0, 3))):
        clip(int(rng.uniform(0, 0.6) * n))
    return dsp.room(rng, out, rate, 2.5, 0.4)


@kind(
    "lion roar",
    "a lion roaring, a lion roar, a roaring lion, a big cat roaring, a tiger roaring, the roar "
    "of a lion, a ferocious roar",
)
def lion(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(1.4, 2.3) * rate)
        hz = rng.uniform(80, 120) * dsp.curve(m, [(0, 0.75), (0.25, 1.4), (0.6, 1.2), (1, 0.6)])
        mouth = dsp.curve(m, [(0, 0.6), (0.3, 1.2), (0.7, 1.0), (1, 0.6)])
        x = call(
            rng,
            m,
            rate,
            hz,
            [(430 * mouth, 200, 1), (900 * mouth, 300, 0.7), (1900 * mouth, 600, 0.25)],
            0.9,
            0.5,
            0.7,
        )
        return dsp.drive(x, 1.2) * dsp.swell(m, rate, 0.25, 0.7)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 2.2, 2), rate, 1.0, 0.2)


@kind(
    "elephant",
    "an elephant trumpeting, an elephant, a trumpeting elephant, an elephant's trumpet call, an "
    "angry elephant, the trumpet of an elephant",
)
def elephant(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(0.9, 1.6) * rate)
        hz = rng.uniform(380, 520) * dsp.curve(
            m, [(0, 0.6), (0.12, 1.0), (0.5, 1.25), (0.85, 1.05), (1, 0.6)]
        )
        hz *= dsp.wander(rng, m, rate, 25, 0.97, 1.03)
        x = call(
            rng,
            m,
            rate,
            hz,
            [(700.0, 400, 1), (1600.0, 500, 0.9), (2900.0, 700, 0.6)],
            0.5,
            0.2,
            0.3,
        )
        return dsp.drive(x, 1.5) * dsp.swell(m, rate, 0.06, 0.3)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 1.5, 2), rate, 1.2, 0.25)


@kind(
    "monkey",
    "a monkey screeching, a chimpanzee, monkeys chattering, an ape hooting, a chimp screaming, "
    "monkeys in the jungle, a monkey",
)
def monkey(rng: np.random.Generator, n: int, rate: int) -> Signal:
    out, t, rise = np.zeros(n), rng.uniform(0, 0.3), 0.0
    while t < n / rate - 0.1:
        rise = min(1.0, rise + 0.12)
        m = int(rng.uniform(0.12, 0.24) * rate)
        hz = (
            (330 + 700 * rise)
            * rng.uniform(0.9, 1.1)
            * dsp.curve(m, [(0, 0.7), (0.5, 1.2), (1, 0.85)])
        )
        mouth = 1 + 0.6 * rise
        x = call(
            rng,
            m,
            rate,
            hz,
            [(500 * mouth, 250, 1), (1100 * mouth, 350, 0.7), (2600.0, 600, 0.3)],
            0.3 * rise,
            0.15,
            0.7,
        )
        dsp.add(out, x * dsp.swell(m, rate, 0.03, 0.06), int(t * rate), 0.4 + 0.6 * rise)
        t += m / rate + rng.uniform(0.04, 0.14)
        if rise >= 1.0 and dsp.chance(rng, 0.2):
            rise, t = 0.0, t + rng.uniform(0.3, 0.8)
    return out


@kind(
    "snake hiss",
    "a snake hissing, a hissing snake, a snake, a serpent hissing, the hiss of a snake, a cobra "
    "hissing, an angry snake hiss",
)
def snake(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(0.8, 1.8) * rate)
        x = dsp.sweep_band(
            dsp.white(rng, m), rate, dsp.curve(m, [(0, 3500), (0.3, 5500), (1, 4200)]), 0.5
        )
        return dsp.unit(x) * dsp.swell(m, rate, 0.15, 0.5) * dsp.wander(rng, m, rate, 30, 0.75, 1)

    return dsp.one_shots(rng, n, rate, clip, 1.8, 3)


@kind(
    "rattlesnake",
    "a rattlesnake, a rattlesnake rattling, a snake's rattle, a rattling tail of a snake, a "
    "warning rattle of a snake, a rattler",
)
def rattlesnake(rng: np.random.Generator, n: int, rate: int) -> Signal:
    clicks = dsp.firings(rng, rng.uniform(45, 75), n, rate, 0.5, 5)
    x = dsp.body(clicks, rate, [(3200, 3, 1), (5200, 3, 1), (6800, 4, 0.6)]) + 0.02 * dsp.highpass(
        dsp.white(rng, n), 3000, rate
    )
    return x * dsp.lowpass((dsp.wander(rng, n, rate, 1, 0, 1) > 0.25).astype(float), 6, rate, 1)


@kind(
    "frog",
    "a frog croaking, a frog, frogs croaking in a pond, a croaking toad, a bullfrog, ribbit of "
    "a frog, frogs at night",
)
def frog(rng: np.random.Generator, n: int, rate: int) -> Signal:
    out = np.zeros(n)
    for _ in range(int(rng.integers(1, 4))):
        base, pulses, level = rng.uniform(350, 1300), rng.uniform(25, 55), rng.uniform(0.4, 1)

        def croak(base: float = base, pulses: float = pulses) -> Signal:
            m = int(rng.uniform(0.18, 0.35) * rate)
            p = dsp.cycles(pulses, m, rate) % 1.0
            tone = dsp.wavetable(
                base * dsp.curve(m, [(0, 0.85), (1, 1.15)]), np.array([1, 0.6, 0.4, 0.2]), m, rate
            )
            return tone * np.exp(-4 * p) * dsp.swell(m, rate, 0.04, 0.05)

        out += level * dsp.place(
            n, rate, dsp.beat(rng, n / rate, rng.uniform(0.5, 1.1), 0.15), croak
        )
    return dsp.room(rng, out, rate, 0.6, 0.15)


@kind(
    "monster growl",
    "a monster growling, a monster, a growling beast, a demon growling, a deep monster growl, a "
    "creature snarling, a zombie groaning, an evil creature",
)
def monster(rng: np.random.Generator, n: int, rate: int) -> Signal:
    length = rng.uniform(1.5, 3.0)

    def clip() -> Signal:
        m = int(length * rate)
        hz = rng.uniform(38, 70) * dsp.wander(rng, m, rate, 2, 0.8, 1.35)
        mouth = dsp.wander(rng, m, rate, 2.2, 0.5, 1.3)
        x = call(
            rng,
            m,
            rate,
            hz,
            [(350 * mouth, 130, 1), (800 * mouth, 220, 0.8), (1800 * mouth, 500, 0.4)],
            1.0,
            0.3,
            0.5,
        )
        return dsp.drive(x * dsp.wander(rng, m, rate, 18, 0.5, 1), 1.5) * dsp.swell(
            m, rate, 0.3, 0.6
        )

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, length, 2), rate, 1.5, 0.25)


@kind(
    "dinosaur roar",
    "a dinosaur roaring, a dinosaur, a tyrannosaurus roar, a giant monster roaring, a dragon "
    "roaring, a huge beast roaring, a dragon",
)
def dinosaur(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(1.6, 2.6) * rate)
        sweep = dsp.curve(m, [(0, 0.6), (0.15, 1.3), (0.5, 1.1), (1, 0.4)])
        low = call(
            rng,
            m,
            rate,
            85 * sweep,
            [(380 * sweep, 200, 1), (900 * sweep, 400, 0.6)],
            1.0,
            0.6,
            0.5,
        )
        high = call(
            rng,
            m,
            rate,
            rng.uniform(420, 650) * sweep,
            [(1200 * sweep, 600, 1), (2600 * sweep, 900, 0.7)],
            0.7,
            0.3,
            0.4,
        )
        return dsp.drive(low + 0.6 * high, 1.5) * dsp.swell(m, rate, 0.1, 0.8)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 2.5, 2), rate, 2.0, 0.3)
