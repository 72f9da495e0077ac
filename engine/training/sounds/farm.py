"""Animals of a farm."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Sound, kind
from engine.training.sounds.throat import call


@kind(
    "cow moo",
    "a cow mooing, a cow, a moo, cattle mooing, a cow in a field, a mooing cow, a bull bellowing",
)
def cow(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base, length = rng.uniform(105, 175), rng.uniform(1.1, 2.0)

    def clip() -> Signal:
        m = int(length * rate)
        hz = base * dsp.curve(m, [(0, 0.8), (0.2, 1.0), (0.6, 1.15), (0.85, 1.05), (1, 0.75)])
        opening = dsp.curve(m, [(0, 0.45), (0.3, 0.6), (0.55, 1.0), (0.9, 1.0), (1, 0.8)])
        x = call(
            rng,
            m,
            rate,
            hz,
            [(480 * opening, 140, 1), (1050 * opening, 260, 0.7), (2300.0, 700, 0.4)],
            0.12,
            0.05,
            0.8,
        )
        return x * dsp.swell(m, rate, 0.2, 0.3)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, length, 2), rate, 0.8, 0.15)


def bleat(
    rng: np.random.Generator, n: int, rate: int, base: float, shake_hz: float, size: float
) -> Signal:
    """Sheep and goats: a nasal vowel that trembles."""
    length = rng.uniform(0.6, 1.1)

    def clip() -> Signal:
        m = int(length * rng.uniform(0.8, 1.1) * rate)
        shake = np.sin(2 * np.pi * dsp.cycles(shake_hz, m, rate))
        hz = base * (1 + 0.06 * shake) * dsp.curve(m, [(0, 0.9), (0.2, 1.05), (1, 0.88)])
        tracks = [(620 / size, 180, 0.8), (1650 / size, 250, 1.0), (2700 / size, 400, 0.5)]
        x = call(rng, m, rate, hz, tracks, 0.15, 0.12, 0.5)
        return x * (0.65 + 0.35 * shake) * dsp.swell(m, rate, 0.07, 0.2)

    return dsp.one_shots(rng, n, rate, clip, length, 4)


@kind(
    "sheep",
    "a sheep bleating, a sheep, a bleating sheep, a sheep going baa, sheep in a meadow, a flock "
    "of sheep bleating, a lamb bleating",
)
def sheep(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return bleat(rng, n, rate, rng.uniform(150, 330), rng.uniform(6, 8.5), rng.uniform(0.8, 1.1))


@kind(
    "goat",
    "a goat bleating, a goat, a screaming goat, a bleating goat, a billy goat, a goat on a "
    "farm, goats bleating",
)
def goat(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return bleat(rng, n, rate, rng.uniform(340, 520), rng.uniform(11, 15), rng.uniform(0.75, 0.95))


@kind(
    "pig",
    "a pig oinking, a pig grunting, a pig, pigs in a sty, oinking, a grunting hog, a snorting pig",
)
def pig(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(60, 110)

    def grunt() -> Signal:
        m = int(rng.uniform(0.14, 0.3) * rate)
        flaps = dsp.firings(rng, base * dsp.curve(m, [(0, 1.3), (1, 0.8)]), m, rate, 0.35, 2)
        source = dsp.unit(flaps) + 0.5 * dsp.white(rng, m)
        tracks = [
            (430.0, 150, 1),
            (dsp.curve(m, [(0, 900), (0.5, 1500), (1, 1000)]), 250, 0.8),
            (2600.0, 500, 0.4),
        ]
        return dsp.unit(dsp.sculpt(source, dsp.peak_gains(m, rate, tracks))) * dsp.swell(
            m, rate, 0.03, 0.08
        )

    out, t = np.zeros(n), rng.uniform(0, 0.4)
    while t < n / rate - 0.1:
        if dsp.chance(rng, 0.12):
            m = int(0.6 * rate)
            hz = rng.uniform(800, 1200) * dsp.curve(m, [(0, 0.8), (0.4, 1.2), (1, 0.9)])
            x = call(
                rng, m, rate, hz, [(1300.0, 500, 1), (3000.0, 700, 0.6)], 0.4, 0.2, 0.4
            ) * dsp.swell(m, rate, 0.05, 0.1)
        else:
            x = grunt()
        dsp.add(out, x, int(t * rate), rng.uniform(0.5, 1))
        t += x.size / rate + rng.exponential(0.25)
    return out


@kind(
    "horse gallop",
    "a horse galloping, a galloping horse, hoofbeats, horses galloping, a horse running, the "
    "clatter of hooves, a horse at full gallop",
)
def gallop(rng: np.random.Generator, n: int, rate: int) -> Sound:
    period = rng.uniform(0.36, 0.62)
    hz = rng.uniform(130, 420)

    def stride() -> Signal:
        m = int(0.6 * rate)
        out = np.zeros(m)
        for at in (0.0, 0.23, 0.42):
            hoof = dsp.modes(
                rng,
                int(0.13 * rate),
                rate,
                [hz * rng.uniform(0.92, 1.08), hz * 2.3, hz * 4.4],
                [0.09, 0.06, 0.04],
                [1, 0.7, 0.4],
            )
            hoof += (
                0.35
                * dsp.lowpass(dsp.white(rng, hoof.size), 1800, rate)
                * dsp.decay(hoof.size, rate, 0.06)
            )
            dsp.add(
                out, hoof, int(at * period * rate * rng.uniform(0.95, 1.05)), rng.uniform(0.7, 1)
            )
        return out

    x = dsp.place(n, rate, dsp.beat(rng, n / rate, period, 0.02), stride)
    return x, {"speed": dsp.grade(period, 0.43, 0.54, ("fast", "", "slow"))}


@kind(
    "horse neigh",
    "a horse neighing, a horse whinnying, a neighing horse, a horse, a whinny, a stallion "
    "neighing, a horse's neigh",
)
def neigh(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(1.2, 1.8) * rate)
        shake = np.sin(2 * np.pi * dsp.cycles(rng.uniform(8, 12), m, rate)) * dsp.curve(
            m, [(0, 0.1), (0.2, 1), (1, 1)]
        )
        hz = (
            rng.uniform(600, 950)
            * dsp.curve(m, [(0, 0.7), (0.12, 1.25), (0.4, 1.0), (1, 0.35)])
            * (1 + 0.07 * shake)
        )
        x = call(
            rng,
            m,
            rate,
            hz,
            [(1100.0, 500, 1), (2100.0, 600, 0.8), (3600.0, 900, 0.4)],
            0.25,
            0.15,
            0.5,
        )
        return x * (0.75 + 0.25 * shake) * dsp.swell(m, rate, 0.08, 0.4)

    return dsp.one_shots(rng, n, rate, clip, 1.7, 2)


@kind(
    "donkey",
    "a donkey braying, a donkey, a donkey going hee-haw, a braying mule, hee-haw of a donkey, a "
    "donkey's bray",
)
def donkey(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        parts = []
        for _ in range(int(rng.integers(2, 5))):
            m, k = int(0.35 * rate), int(0.5 * rate)
            hee = call(
                rng,
                m,
                rate,
                rng.uniform(650, 800) * dsp.curve(m, [(0, 0.8), (1, 1.1)]),
                [(1400.0, 500, 1), (2800.0, 600, 0.6)],
                0.3,
                0.5,
                0.5,
            )
            haw = call(
                rng,
                k,
                rate,
                rng.uniform(210, 280) * dsp.curve(k, [(0, 1.1), (1, 0.85)]),
                [(750.0, 250, 1), (1250.0, 300, 0.8), (2600.0, 500, 0.3)],
                0.45,
                0.15,
                0.6,
            )
            parts += [
                0.5 * hee * dsp.swell(m, rate, 0.05, 0.08),
                haw * dsp.swell(k, rate, 0.04, 0.12),
                np.zeros(int(0.05 * rate)),
            ]
        return np.concatenate(parts)

    return dsp.one_shots(rng, n, rate, clip, 3.0, 1)


@kind(
    "rooster",
    "a rooster crowing, a rooster, a cockerel, cock-a-doodle-doo, a crowing rooster, a cock "
    "crowing at dawn",
)
def rooster(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(480, 700)

    def crow_() -> Signal:
        parts = (
            (0.16, [(0, 0.8), (1, 1.0)]),
            (0.14, [(0, 1.0), (1, 1.1)]),
            (0.22, [(0, 1.25), (1, 1.3)]),
            (0.8, [(0, 1.2), (0.25, 1.5), (0.6, 1.4), (1, 0.8)]),
        )
        clips = []
        for length, points in parts:
            m = int(length * rate)
            hz = base * dsp.curve(m, points)
            x = call(
                rng,
                m,
                rate,
                hz,
                [(1250.0, 400, 1), (2500.0, 500, 0.8), (3800.0, 800, 0.4)],
                0.25,
                0.1,
                0.5,
            )
            clips += [x * dsp.swell(m, rate, 0.03, 0.05), np.zeros(int(0.04 * rate))]
        return np.concatenate(clips)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, crow_, 1.6, 2), rate, 0.6, 0.15)


@kind(
    "chicken",
    "a chicken clucking, chickens, hens clucking, a clucking hen, a hen, a chicken coop, "
    "chickens on a farm",
)
def chicken(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(380, 560)

    def cluck() -> Signal:
        long = dsp.chance(rng, 0.12)
        m = int((rng.uniform(0.3, 0.5) if long else rng.uniform(0.06, 0.11)) * rate)
        hz = (
            base
            * rng.uniform(0.9, 1.1)
            * dsp.curve(m, [(0, 0.9), (0.4, 1.5 if long else 1.2), (1, 0.9)])
        )
        x = call(
            rng,
            m,
            rate,
            hz,
            [(1000.0, 300, 1), (2100.0, 400, 0.7), (3300.0, 700, 0.3)],
            0.3,
            0.15,
            0.5,
        )
        return x * dsp.swell(m, rate, 0.015, 0.04) * rng.uniform(0.4, 1)

    return dsp.place(n, rate, dsp.scattered(rng, n / rate, rng.uniform(2.5, 5), 3), cluck)


@kind(
    "duck",
    "a duck quacking, a duck, ducks quacking on a pond, a quacking duck, quack quack, a "
    "mallard, ducks",
)
def duck(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(190, 290)

    def quack() -> Signal:
        m = int(rng.uniform(0.15, 0.25) * rate)
        hz = base * rng.uniform(0.95, 1.05) * dsp.curve(m, [(0, 1.1), (1, 0.85)])
        x = call(
            rng,
            m,
            rate,
            hz,
            [(950.0, 200, 0.7), (1600.0, 200, 1), (2700.0, 400, 0.6)],
            0.3,
            0.08,
            0.2,
        )
        return x * dsp.curve(m, [(0, 0), (0.1, 1), (0.6, 0.7), (1, 0)])

    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.3, 0.7), 0.2), quack)


@kind(
    "goose",
    "a goose honking, a goose, geese honking, geese flying overhead, honking geese, a flock of "
    "geese",
)
def goose(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def honk() -> Signal:
        m = int(rng.uniform(0.25, 0.4) * rate)
        hz = rng.uniform(380, 520) * dsp.curve(m, [(0, 0.75), (0.35, 0.8), (0.4, 1.15), (1, 1.0)])
        x = call(
            rng,
            m,
            rate,
            hz,
            [(900.0, 250, 1), (1500.0, 300, 0.9), (2800.0, 600, 0.4)],
            0.2,
            0.06,
            0.4,
        )
        return x * dsp.swell(m, rate, 0.03, 0.08) * rng.uniform(0.4, 1)

    return dsp.room(
        rng,
        dsp.place(n, rate, dsp.scattered(rng, n / rate, rng.uniform(1.5, 4), 2), honk),
        rate,
        0.8,
        0.2,
    )
