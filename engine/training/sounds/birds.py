"""Birds of the garden, the forest and the sea."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import kind
from engine.training.sounds.throat import call


def note(
    rng: np.random.Generator,
    rate: int,
    length_s: float,
    points: list[tuple[float, float]],
    hz: float,
) -> Signal:
    """A whistled note along (position, pitch against `hz`)."""
    n = max(32, int(length_s * rate))
    x = dsp.wavetable(hz * dsp.curve(n, points), np.array([1, 0.08, 0.03]), n, rate)
    return x * dsp.swell(n, rate, 0.25 * length_s, 0.4 * length_s)


def syllable(rng: np.random.Generator) -> tuple[float, list[tuple[float, float]], float]:
    """A random note shape of a song bird: length in s, pitch points, pitch in Hz."""
    shape = dsp.pick(
        rng,
        (
            [(0, 1.2), (1, 0.8)],
            [(0, 0.8), (1, 1.2)],
            [(0, 0.85), (0.5, 1.2), (1, 0.85)],
            [(0, 1), (1, 1)],
            [(0, 1.3), (0.3, 0.8), (0.7, 1.2), (1, 0.9)],
        ),
    )
    return rng.uniform(0.05, 0.18), shape, dsp.log_uniform(rng, 2300, 5500)


@kind(
    "bird chirp",
    "a bird chirping, a bird, a chirping bird, a bird tweeting, a small bird chirping, a "
    "sparrow chirping, tweeting",
)
def chirp(rng: np.random.Generator, n: int, rate: int) -> Signal:
    length, shape, hz = syllable(rng)
    count, gap = int(rng.integers(1, 4)), rng.uniform(0.04, 0.12)

    def phrase() -> Signal:
        out = np.zeros(int((count * (length + gap) + 0.1) * rate))
        for index in range(count):
            dsp.add(
                out,
                note(rng, rate, length, shape, hz * rng.uniform(0.98, 1.02)),
                int(index * (length + gap) * rate),
            )
        return out

    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.5, 1.3), 0.3), phrase)


@kind(
    "birdsong",
    "birdsong, birds singing, birds chirping in a forest, a dawn chorus of birds, songbirds in "
    "the morning, birds tweeting in the trees, many birds singing",
    texture=True,
)
def birdsong(rng: np.random.Generator, n: int, rate: int) -> Signal:
    out = np.zeros(n)
    for _ in range(int(rng.integers(3, 6))):
        song = [syllable(rng) for _ in range(int(rng.integers(2, 6)))]
        level, centre, t = rng.uniform(0.15, 1), rng.uniform(0.7, 1.2), rng.uniform(0, 1.0)
        while t < n / rate:
            for length, shape, hz in song:
                for _ in range(int(rng.integers(1, 4))):
                    dsp.add(out, note(rng, rate, length, shape, hz * centre), int(t * rate), level)
                    t += length + 0.04
            t += rng.uniform(0.4, 1.8)
    return dsp.room(rng, out, rate, 0.8, 0.25) + 0.004 * dsp.coloured(rng, n, -3)


@kind(
    "bird trill",
    "a nightingale singing, a canary trilling, a trilling bird, a bird warbling, a warbling "
    "songbird, a canary singing, a long bird trill",
)
def trill(rng: np.random.Generator, n: int, rate: int) -> Signal:
    out, t = np.zeros(n), rng.uniform(0, 0.3)
    while t < n / rate - 0.1:
        m = int(rng.uniform(0.5, 1.3) * rate)
        speed, depth = rng.uniform(12, 32), rng.uniform(0.05, 0.2)
        p = dsp.cycles(speed, m, rate) % 1.0
        hz = (
            rng.uniform(2300, 4800)
            * dsp.curve(m, [(0, 1), (1, rng.uniform(0.85, 1.15))])
            * (1 + depth * (2 * p - 1))
        )
        dsp.add(
            out,
            dsp.sine(hz, m, rate) * np.sin(np.pi * p) * dsp.swell(m, rate, 0.1, 0.1),
            int(t * rate),
            rng.uniform(0.5, 1),
        )
        t += m / rate + rng.uniform(0.05, 0.4)
    return out


@kind(
    "crow",
    "a crow cawing, a crow, a raven, crows cawing, a cawing crow, a raven croaking, the caw of "
    "a crow",
)
def crow(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(380, 560)

    def caw() -> Signal:
        m = int(rng.uniform(0.28, 0.42) * rate)
        hz = base * dsp.curve(m, [(0, 0.8), (0.2, 1.1), (1, 0.8)])
        x = call(
            rng,
            m,
            rate,
            hz,
            [(1100.0, 300, 0.8), (1700.0, 350, 1), (2900.0, 600, 0.5)],
            0.7,
            0.2,
            0.3,
        )
        return x * dsp.swell(m, rate, 0.04, 0.12)

    times = []
    t = rng.uniform(0.05, 0.6)
    while t < n / rate:
        for _ in range(int(rng.integers(1, 5))):
            times.append(t)
            t += rng.uniform(0.5, 0.65)
        t += rng.uniform(0.3, 1.2)
    return dsp.room(rng, dsp.place(n, rate, times, caw), rate, 0.8, 0.2)


@kind(
    "owl",
    "an owl hooting, an owl, a hooting owl, an owl at night, the hoot of an owl, an owl going "
    "hoo hoo",
)
def owl(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(280, 430)

    def hoot(length: float) -> Signal:
        m = int(length * rate)
        hz = base * dsp.curve(m, [(0, 0.93), (0.3, 1.03), (1, 0.93)])
        return dsp.wavetable(hz, np.array([1, 0.12, 0.05]), m, rate) * dsp.swell(
            m, rate, 0.06, 0.15
        )

    def phrase() -> Signal:
        out = np.zeros(int(2.4 * rate))
        for at, length in ((0, 0.35), (0.7, 0.18), (0.95, 0.18), (1.25, 0.7)):
            dsp.add(
                out,
                hoot(length)
                * (1 + 0.2 * np.sin(2 * np.pi * dsp.cycles(9, int(length * rate), rate))),
                int(at * rate),
            )
        return out

    return dsp.room(rng, dsp.one_shots(rng, n, rate, phrase, 2.2, 2), rate, 1.8, 0.3)


@kind(
    "cuckoo",
    "a cuckoo, a cuckoo calling, a cuckoo in the forest, the call of a cuckoo, a cuckoo clock "
    "calling, a bird calling cuckoo",
)
def cuckoo(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(600, 760)

    def phrase() -> Signal:
        out = np.zeros(int(0.9 * rate))
        dsp.add(out, note(rng, rate, 0.2, [(0, 1), (1, 1.02)], hz), 0)
        dsp.add(out, note(rng, rate, 0.32, [(0, 1), (1, 0.98)], hz * 0.81), int(0.32 * rate))
        return out

    x = dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(1.1, 1.6), 0.03), phrase)
    return dsp.room(rng, x, rate, 1.0, 0.25)


@kind(
    "seagull",
    "a seagull, seagulls crying, seagulls at the beach, a gull screeching, gulls calling over "
    "the sea, a seagull's cry, seagulls",
)
def seagull(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def cry() -> Signal:
        m = int(rng.uniform(0.35, 0.7) * rate)
        hz = rng.uniform(900, 1250) * dsp.curve(m, [(0, 0.75), (0.25, 1.3), (1, 0.85)])
        x = call(rng, m, rate, hz, [(1500.0, 600, 1), (3000.0, 800, 0.9)], 0.2, 0.08, 0.4)
        return x * dsp.swell(m, rate, 0.05, 0.2) * rng.uniform(0.4, 1)

    times, t = [], rng.uniform(0, 0.5)
    while t < n / rate:
        for _ in range(int(rng.integers(1, 5))):
            times.append(t)
            t += rng.uniform(0.4, 0.6)
        t += rng.uniform(0.2, 1.0)
    return dsp.room(rng, dsp.place(n, rate, times, cry), rate, 1.0, 0.2)


@kind(
    "eagle",
    "an eagle screech, a hawk screeching, an eagle, a bird of prey, a hawk's cry, a screeching "
    "eagle, a falcon crying",
)
def eagle(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def cry() -> Signal:
        m = int(rng.uniform(0.9, 1.4) * rate)
        hz = rng.uniform(2300, 3000) * dsp.curve(m, [(0, 0.85), (0.1, 1.15), (1, 0.65)])
        x = call(rng, m, rate, hz, [(2600.0, 1500, 1), (5000.0, 1500, 0.5)], 0.15, 0.25, 0.6)
        return x * dsp.swell(m, rate, 0.03, 0.6)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, cry, 1.4, 3), rate, 1.6, 0.3)


@kind(
    "pigeon",
    "a pigeon cooing, a dove cooing, pigeons, a cooing pigeon, a turtle dove, the coo of a dove",
)
def pigeon(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(330, 480)

    def coo() -> Signal:
        out = np.zeros(int(1.3 * rate))
        for at, length in ((0.0, 0.2), (0.28, 0.55), (0.92, 0.25)):
            m = int(length * rate)
            hz = base * dsp.curve(m, [(0, 0.95), (0.4, 1.08), (1, 0.93)])
            warble = 1 + 0.35 * np.sin(2 * np.pi * dsp.cycles(28, m, rate))
            dsp.add(
                out,
                dsp.wavetable(hz, np.array([1, 0.1]), m, rate)
                * warble
                * dsp.swell(m, rate, 0.05, 0.1),
                int(at * rate),
            )
        return out

    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(1.4, 2.2), 0.05), coo)


@kind(
    "woodpecker",
    "a woodpecker, a woodpecker drumming, a woodpecker pecking a tree, a bird pecking wood, the "
    "drumming of a woodpecker, a woodpecker at work",
)
def woodpecker(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(650, 1200)

    def drumming() -> Signal:
        out, gap = np.zeros(int(1.2 * rate)), rng.uniform(0.045, 0.065)
        for index in range(int(rng.integers(9, 18))):
            knock = dsp.modes(
                rng,
                int(0.06 * rate),
                rate,
                [hz, hz * 1.9, hz * 3.1],
                [0.05, 0.03, 0.02],
                [1, 0.7, 0.5],
            )
            dsp.add(out, knock, int(index * gap * rate), 1 - 0.03 * index)
        return out

    return dsp.room(rng, dsp.one_shots(rng, n, rate, drumming, 1.2, 3), rate, 0.9, 0.25)


@kind(
    "wings flapping",
    "wings flapping, a bird flapping its wings, pigeons taking off, a flock of birds taking "
    "off, flapping wings, a bird flying away",
)
def wings(rng: np.random.Generator, n: int, rate: int) -> Signal:
    start, length = int(rng.uniform(0, 0.3) * n), int(rng.uniform(0.5, 0.7) * n)
    p = (
        dsp.cycles(rng.uniform(8, 13) * dsp.wander(rng, length, rate, 2, 0.85, 1.15), length, rate)
        % 1.0
    )
    flap = (
        dsp.bandpass(dsp.coloured(rng, length, -2), 200, 2600, rate, 1)
        * np.exp(-5 * p)
        * np.minimum(1, p / 0.08)
    )
    out = np.zeros(n)
    dsp.add(out, flap * dsp.swell(length, rate, 0.05, 0.8), start)
    return out
