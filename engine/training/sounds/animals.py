"""Pets, farm and wild animals, insects and monsters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Curve, Signal
from engine.training.sounds.kinds import Attributes, kind

Tracks = Sequence[tuple[Curve, float, float]]


def call(
    rng: np.random.Generator, n: int, rate: int, hz: Curve, tracks: Tracks, rough: float = 0.0,
    breath: float = 0.1, tilt: float = 0.9,
) -> Signal:
    """An animal's voice: harmonics through a moving throat; `rough` adds growl and subharmonics."""
    jitter = 1.0 + rough * 0.15 * dsp.lowpass(dsp.white(rng, n), 90, rate) * 3
    source = dsp.unit(dsp.wavetable(np.broadcast_to(hz, n) * jitter, dsp.saw_amplitudes(60, tilt), n, rate))
    source *= 1.0 + rough * np.sin(np.pi * dsp.cycles(hz, n, rate))
    source += (breath + 0.4 * rough) * dsp.white(rng, n)
    return dsp.unit(dsp.sculpt(source, dsp.peak_gains(n, rate, tracks)))


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
    "dog bark", "a dog barking", "a dog bark", "a barking dog", "dogs barking", "a dog going woof",
    "a guard dog barking", "barking", "a hound barking",
)
def dog_bark(rng: np.random.Generator, n: int, rate: int) -> tuple[Signal, Attributes]:
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
    "dog growl", "a dog growling", "a growling dog", "a dog snarling", "an aggressive dog growling",
    "a snarling hound", "a low dog growl", "an angry dog",
)
def dog_growl(rng: np.random.Generator, n: int, rate: int) -> Signal:
    length, base = rng.uniform(1.2, 2.4), rng.uniform(65, 105)

    def clip() -> Signal:
        m = int(length * rate)
        flaps = dsp.firings(rng, base * dsp.wander(rng, m, rate, 5, 0.85, 1.25), m, rate, 0.3, 3)
        source = dsp.unit(flaps) + 0.35 * dsp.white(rng, m)
        tracks = [(dsp.wander(rng, m, rate, 3, 350, 550), 180, 1), (dsp.wander(rng, m, rate, 3, 1000, 1400), 300, 0.6), (2500.0, 700, 0.25)]
        return dsp.unit(dsp.sculpt(source, dsp.peak_gains(m, rate, tracks))) * dsp.swell(m, rate, 0.35, 0.4)

    return dsp.one_shots(rng, n, rate, clip, length, 2)


@kind(
    "dog whining", "a dog whining", "a puppy whimpering", "a whimpering dog", "a sad puppy", "a dog whimpering",
    "a puppy crying", "a begging dog",
)
def dog_whine(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(650, 1000)

    def clip() -> Signal:
        m = int(rng.uniform(0.3, 0.7) * rate)
        hz = base * rng.uniform(0.9, 1.15) * dsp.curve(m, [(0, 0.85), (0.3, 1.2), (1, 0.8)])
        hz = dsp.vibrato(rng, hz, m, rate, 0.02, 9)
        return dsp.wavetable(hz, np.array([1, 0.35, 0.15, 0.1]), m, rate) * dsp.swell(m, rate, 0.08, 0.15)

    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.7, 1.2), 0.2), clip)


@kind(
    "wolf howl", "a wolf howling", "a howling wolf", "wolves howling at the moon", "a wolf howl",
    "a lone wolf", "a long wolf howl at night", "a coyote howling",
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
    "cat meow", "a cat meowing", "a cat meow", "a meowing cat", "a kitten meowing", "a hungry cat",
    "a cat crying for food", "a house cat",
)
def cat(rng: np.random.Generator, n: int, rate: int) -> tuple[Signal, Attributes]:
    base = dsp.log_uniform(rng, 450, 850)

    def clip() -> Signal:
        m = int(rng.uniform(0.55, 1.0) * rate)
        hz = base * dsp.curve(m, [(0, 0.8), (0.25, 1.15), (0.6, 1.05), (1, 0.7)]) * rng.uniform(0.92, 1.08)
        first = dsp.curve(m, [(0, 500), (0.2, 900), (0.45, 1300), (1, 600)]) * (base / 600) ** 0.4
        second = dsp.curve(m, [(0, 2600), (0.25, 2300), (0.5, 1900), (1, 1100)]) * (base / 600) ** 0.4
        x = call(rng, m, rate, hz, [(first, 220, 1), (second, 350, 0.7), (4200.0, 900, 0.25)], 0.05, 0.05, 0.5)
        return x * dsp.swell(m, rate, 0.12, 0.3)

    x = dsp.one_shots(rng, n, rate, clip, 1.0, 4)
    return dsp.room(rng, x, rate, 0.3, 0.12), {"pitch": dsp.grade(base, 520, 720, ("low", "", "high"))}


@kind(
    "cat purring", "a cat purring", "a purring cat", "a contented cat", "purring", "a kitten purring",
    "the purr of a cat", texture=True,
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
    "cat hissing", "a cat hissing", "an angry cat", "a cat fight", "a hissing cat", "a cat spitting and yowling",
    "a cat's hiss", "a furious cat",
)
def cat_hiss(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def hiss() -> Signal:
        m = int(rng.uniform(0.5, 0.9) * rate)
        return dsp.band_noise(rng, m, rate, 2200, 6500) * dsp.curve(m, [(0, 0), (0.06, 1), (0.6, 0.7), (1, 0)])

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


@kind(
    "cow moo", "a cow mooing", "a cow", "a moo", "cattle mooing", "a cow in a field", "a mooing cow",
    "a bull bellowing",
)
def cow(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base, length = rng.uniform(105, 175), rng.uniform(1.1, 2.0)

    def clip() -> Signal:
        m = int(length * rate)
        hz = base * dsp.curve(m, [(0, 0.8), (0.2, 1.0), (0.6, 1.15), (0.85, 1.05), (1, 0.75)])
        opening = dsp.curve(m, [(0, 0.45), (0.3, 0.6), (0.55, 1.0), (0.9, 1.0), (1, 0.8)])
        x = call(rng, m, rate, hz, [(480 * opening, 110, 1), (1050 * opening, 200, 0.5), (2300.0, 500, 0.15)], 0.12, 0.05, 0.8)
        return x * dsp.swell(m, rate, 0.2, 0.3)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, length, 2), rate, 0.8, 0.15)


def bleat(rng: np.random.Generator, n: int, rate: int, base: float, shake_hz: float, size: float) -> Signal:
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
    "sheep", "a sheep bleating", "a sheep", "a bleating sheep", "a sheep going baa", "sheep in a meadow",
    "a flock of sheep bleating", "a lamb bleating",
)
def sheep(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return bleat(rng, n, rate, rng.uniform(150, 330), rng.uniform(6, 8.5), rng.uniform(0.8, 1.1))


@kind(
    "goat", "a goat bleating", "a goat", "a screaming goat", "a bleating goat", "a billy goat",
    "a goat on a farm", "goats bleating",
)
def goat(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return bleat(rng, n, rate, rng.uniform(340, 520), rng.uniform(11, 15), rng.uniform(0.75, 0.95))


@kind(
    "pig", "a pig oinking", "a pig grunting", "a pig", "pigs in a sty", "oinking", "a grunting hog",
    "a snorting pig",
)
def pig(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(60, 110)

    def grunt() -> Signal:
        m = int(rng.uniform(0.14, 0.3) * rate)
        flaps = dsp.firings(rng, base * dsp.curve(m, [(0, 1.3), (1, 0.8)]), m, rate, 0.35, 2)
        source = dsp.unit(flaps) + 0.5 * dsp.white(rng, m)
        tracks = [(430.0, 150, 1), (dsp.curve(m, [(0, 900), (0.5, 1500), (1, 1000)]), 250, 0.8), (2600.0, 500, 0.4)]
        return dsp.unit(dsp.sculpt(source, dsp.peak_gains(m, rate, tracks))) * dsp.swell(m, rate, 0.03, 0.08)

    out, t = np.zeros(n), rng.uniform(0, 0.4)
    while t < n / rate - 0.1:
        if dsp.chance(rng, 0.12):
            m = int(0.6 * rate)
            hz = rng.uniform(800, 1200) * dsp.curve(m, [(0, 0.8), (0.4, 1.2), (1, 0.9)])
            x = call(rng, m, rate, hz, [(1300.0, 500, 1), (3000.0, 700, 0.6)], 0.4, 0.2, 0.4) * dsp.swell(m, rate, 0.05, 0.1)
        else:
            x = grunt()
        dsp.add(out, x, int(t * rate), rng.uniform(0.5, 1))
        t += x.size / rate + rng.exponential(0.25)
    return out


@kind(
    "horse gallop", "a horse galloping", "a galloping horse", "hoofbeats", "horses galloping", "a horse running",
    "the clatter of hooves", "a horse at full gallop",
)
def gallop(rng: np.random.Generator, n: int, rate: int) -> tuple[Signal, Attributes]:
    period = rng.uniform(0.36, 0.62)
    hz = rng.uniform(130, 420)

    def stride() -> Signal:
        m = int(0.6 * rate)
        out = np.zeros(m)
        for at in (0.0, 0.23, 0.42):
            hoof = dsp.modes(rng, int(0.13 * rate), rate, [hz * rng.uniform(0.92, 1.08), hz * 2.3, hz * 4.4], [0.09, 0.06, 0.04], [1, 0.7, 0.4])
            hoof += 0.35 * dsp.lowpass(dsp.white(rng, hoof.size), 1800, rate) * dsp.decay(hoof.size, rate, 0.06)
            dsp.add(out, hoof, int(at * period * rate * rng.uniform(0.95, 1.05)), rng.uniform(0.7, 1))
        return out

    x = dsp.place(n, rate, dsp.beat(rng, n / rate, period, 0.02), stride)
    return x, {"speed": dsp.grade(period, 0.43, 0.54, ("fast", "", "slow"))}


@kind(
    "horse neigh", "a horse neighing", "a horse whinnying", "a neighing horse", "a horse", "a whinny",
    "a stallion neighing", "a horse's neigh",
)
def neigh(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(1.2, 1.8) * rate)
        shake = np.sin(2 * np.pi * dsp.cycles(rng.uniform(10, 14), m, rate)) * dsp.curve(m, [(0, 0.1), (0.2, 1), (1, 1)])
        hz = rng.uniform(750, 1000) * dsp.curve(m, [(0, 0.7), (0.12, 1.25), (0.4, 1.0), (1, 0.35)]) * (1 + 0.07 * shake)
        x = call(rng, m, rate, hz, [(1100.0, 500, 1), (2100.0, 600, 0.8), (3600.0, 900, 0.4)], 0.25, 0.15, 0.5)
        return x * (0.75 + 0.25 * shake) * dsp.swell(m, rate, 0.08, 0.4)

    return dsp.one_shots(rng, n, rate, clip, 1.7, 2)


@kind(
    "donkey", "a donkey braying", "a donkey", "a donkey going hee-haw", "a braying mule", "hee-haw of a donkey",
    "a donkey's bray",
)
def donkey(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        parts = []
        for _ in range(int(rng.integers(2, 5))):
            m, k = int(0.35 * rate), int(0.5 * rate)
            hee = call(rng, m, rate, rng.uniform(650, 800) * dsp.curve(m, [(0, 0.8), (1, 1.1)]), [(1400.0, 500, 1), (2800.0, 600, 0.6)], 0.3, 0.5, 0.5)
            haw = call(rng, k, rate, rng.uniform(210, 280) * dsp.curve(k, [(0, 1.1), (1, 0.85)]), [(750.0, 250, 1), (1250.0, 300, 0.8), (2600.0, 500, 0.3)], 0.45, 0.15, 0.6)
            parts += [0.5 * hee * dsp.swell(m, rate, 0.05, 0.08), haw * dsp.swell(k, rate, 0.04, 0.12), np.zeros(int(0.05 * rate))]
        return np.concatenate(parts)

    return dsp.one_shots(rng, n, rate, clip, 3.0, 1)


@kind(
    "lion roar", "a lion roaring", "a lion roar", "a roaring lion", "a big cat roaring", "a tiger roaring",
    "the roar of a lion", "a ferocious roar",
)
def lion(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(1.4, 2.3) * rate)
        hz = rng.uniform(80, 120) * dsp.curve(m, [(0, 0.75), (0.25, 1.4), (0.6, 1.2), (1, 0.6)])
        mouth = dsp.curve(m, [(0, 0.6), (0.3, 1.2), (0.7, 1.0), (1, 0.6)])
        x = call(rng, m, rate, hz, [(430 * mouth, 200, 1), (900 * mouth, 300, 0.7), (1900 * mouth, 600, 0.25)], 0.9, 0.5, 0.7)
        return dsp.drive(x, 1.2) * dsp.swell(m, rate, 0.25, 0.7)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 2.2, 2), rate, 1.0, 0.2)


@kind(
    "elephant", "an elephant trumpeting", "an elephant", "a trumpeting elephant", "an elephant's trumpet call",
    "an angry elephant", "the trumpet of an elephant",
)
def elephant(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(0.9, 1.6) * rate)
        hz = rng.uniform(380, 520) * dsp.curve(m, [(0, 0.6), (0.12, 1.0), (0.5, 1.25), (0.85, 1.05), (1, 0.6)])
        hz *= dsp.wander(rng, m, rate, 25, 0.97, 1.03)
        x = call(rng, m, rate, hz, [(700.0, 400, 1), (1600.0, 500, 0.9), (2900.0, 700, 0.6)], 0.5, 0.2, 0.3)
        return dsp.drive(x, 1.5) * dsp.swell(m, rate, 0.06, 0.3)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 1.5, 2), rate, 1.2, 0.25)


@kind(
    "monkey", "a monkey screeching", "a chimpanzee", "monkeys chattering", "an ape hooting", "a chimp screaming",
    "monkeys in the jungle", "a monkey",
)
def monkey(rng: np.random.Generator, n: int, rate: int) -> Signal:
    out, t, rise = np.zeros(n), rng.uniform(0, 0.3), 0.0
    while t < n / rate - 0.1:
        rise = min(1.0, rise + 0.12)
        m = int(rng.uniform(0.12, 0.24) * rate)
        hz = (330 + 700 * rise) * rng.uniform(0.9, 1.1) * dsp.curve(m, [(0, 0.7), (0.5, 1.2), (1, 0.85)])
        mouth = 1 + 0.6 * rise
        x = call(rng, m, rate, hz, [(500 * mouth, 250, 1), (1100 * mouth, 350, 0.7), (2600.0, 600, 0.3)], 0.3 * rise, 0.15, 0.7)
        dsp.add(out, x * dsp.swell(m, rate, 0.03, 0.06), int(t * rate), 0.4 + 0.6 * rise)
        t += m / rate + rng.uniform(0.04, 0.14)
        if rise >= 1.0 and dsp.chance(rng, 0.2):
            rise, t = 0.0, t + rng.uniform(0.3, 0.8)
    return out


@kind(
    "snake hiss", "a snake hissing", "a hissing snake", "a snake", "a serpent hissing", "the hiss of a snake",
    "a cobra hissing", "an angry snake hiss",
)
def snake(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(0.8, 1.8) * rate)
        x = dsp.sweep_band(dsp.white(rng, m), rate, dsp.curve(m, [(0, 3500), (0.3, 5500), (1, 4200)]), 0.5)
        return dsp.unit(x) * dsp.swell(m, rate, 0.15, 0.5) * dsp.wander(rng, m, rate, 30, 0.75, 1)

    return dsp.one_shots(rng, n, rate, clip, 1.8, 3)


@kind(
    "rattlesnake", "a rattlesnake", "a rattlesnake rattling", "a snake's rattle", "a rattling tail of a snake",
    "a warning rattle of a snake", "a rattler",
)
def rattlesnake(rng: np.random.Generator, n: int, rate: int) -> Signal:
    clicks = dsp.firings(rng, rng.uniform(45, 75), n, rate, 0.5, 5)
    x = dsp.body(clicks, rate, [(3200, 3, 1), (5200, 3, 1), (6800, 4, 0.6)]) + 0.02 * dsp.highpass(dsp.white(rng, n), 3000, rate)
    return x * dsp.lowpass((dsp.wander(rng, n, rate, 1, 0, 1) > 0.25).astype(float), 6, rate, 1)


@kind(
    "frog", "a frog croaking", "a frog", "frogs croaking in a pond", "a croaking toad", "a bullfrog",
    "ribbit of a frog", "frogs at night",
)
def frog(rng: np.random.Generator, n: int, rate: int) -> Signal:
    out = np.zeros(n)
    for _ in range(int(rng.integers(1, 4))):
        base, pulses, level = rng.uniform(350, 1300), rng.uniform(25, 55), rng.uniform(0.4, 1)

        def croak(base: float = base, pulses: float = pulses) -> Signal:
            m = int(rng.uniform(0.18, 0.35) * rate)
            p = dsp.cycles(pulses, m, rate) % 1.0
            tone = dsp.wavetable(base * dsp.curve(m, [(0, 0.85), (1, 1.15)]), np.array([1, 0.6, 0.4, 0.2]), m, rate)
            return tone * np.exp(-4 * p) * dsp.swell(m, rate, 0.04, 0.05)

        out += level * dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.5, 1.1), 0.15), croak)
    return dsp.room(rng, out, rate, 0.6, 0.15)


@kind(
    "crickets", "crickets chirping", "crickets", "crickets at night", "a summer night with crickets",
    "chirping crickets", "a cricket", "grasshoppers chirping", texture=True,
)
def crickets(rng: np.random.Generator, n: int, rate: int) -> Signal:
    out = np.zeros(n)
    for _ in range(int(rng.integers(1, 5))):
        hz, trill = rng.uniform(3900, 5300), rng.uniform(26, 34)
        p = dsp.cycles(rng.uniform(1.3, 2.6), n, rate, rng.random()) % 1.0
        wing = np.clip(np.sin(2 * np.pi * dsp.cycles(trill, n, rate)), 0, None)
        out += rng.uniform(0.3, 1) * dsp.sine(hz, n, rate) * wing * dsp.lowpass((p < 0.45) * 1.0, 60, rate, 1)
    return out + 0.01 * dsp.band_noise(rng, n, rate, 1000, 7000)


@kind(
    "cicadas", "cicadas", "cicadas buzzing", "cicadas on a hot day", "a loud chorus of cicadas",
    "insects buzzing in the trees", "the drone of cicadas", texture=True,
)
def cicadas(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = dsp.sculpt(dsp.white(rng, n), dsp.peak_gains(n, rate, [(rng.uniform(4200, 5200), 700, 1), (rng.uniform(5800, 6800), 900, 0.6)]))
    rasp = 0.5 + 0.5 * dsp.saw(rng.uniform(90, 160), n, rate)
    return x * rasp * dsp.wander(rng, n, rate, 1.2, 0.3, 1.0)


def insect(rng: np.random.Generator, n: int, rate: int, hz: float, slope: float, bend: float) -> Signal:
    """Beating wings of an insect that flies about."""
    flight = dsp.wander(rng, n, rate, 2.5, 1 - bend, 1 + bend) * dsp.wander(rng, n, rate, 20, 0.985, 1.015)
    near = dsp.wander(rng, n, rate, 1.3, 0.12, 1.0)
    return dsp.wavetable(hz * flight, dsp.saw_amplitudes(40, slope), n, rate) * near


@kind(
    "bee", "a bee buzzing", "a buzzing bee", "a bumblebee", "a bee flying around", "a honey bee", "a wasp buzzing",
    "the buzz of a bee",
)
def bee(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return dsp.body(insect(rng, n, rate, rng.uniform(150, 235), 0.8, 0.12), rate, [(450, 1.5, 1), (1100, 2, 0.6)], 0.3)


@kind(
    "mosquito", "a mosquito", "a mosquito whining", "a mosquito buzzing by the ear", "a gnat", "a whining mosquito",
    "the high whine of a mosquito",
)
def mosquito(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return insect(rng, n, rate, rng.uniform(520, 780), 1.4, 0.06)


@kind(
    "fly buzz", "a fly buzzing", "a house fly", "a buzzing fly", "a fly in the room", "a fly flying around",
    "an annoying fly", "a bluebottle",
)
def fly(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = insect(rng, n, rate, rng.uniform(180, 260), 0.6, 0.25)
    rests = dsp.lowpass((dsp.wander(rng, n, rate, 1.5, 0, 1) > 0.3) * 1.0, 15, rate, 1)
    return dsp.bandpass(x, 300, 3500, rate, 1) * (0.03 + rests)


@kind(
    "bee swarm", "a swarm of bees", "a beehive", "many bees buzzing", "a swarm of insects", "bees in a hive",
    "a swarm of wasps", "a cloud of flies", texture=True,
)
def swarm(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return sum(insect(rng, n, rate, rng.uniform(140, 260), 0.9, 0.12) for _ in range(9))


@kind(
    "monster growl", "a monster growling", "a monster", "a growling beast", "a demon growling", "a deep monster growl",
    "a creature snarling", "a zombie groaning", "an evil creature",
)
def monster(rng: np.random.Generator, n: int, rate: int) -> Signal:
    length = rng.uniform(1.5, 3.0)

    def clip() -> Signal:
        m = int(length * rate)
        hz = rng.uniform(38, 70) * dsp.wander(rng, m, rate, 2, 0.8, 1.35)
        mouth = dsp.wander(rng, m, rate, 2.2, 0.5, 1.3)
        x = call(rng, m, rate, hz, [(350 * mouth, 130, 1), (800 * mouth, 220, 0.8), (1800 * mouth, 500, 0.4)], 1.0, 0.3, 0.5)
        return dsp.drive(x * dsp.wander(rng, m, rate, 18, 0.5, 1), 1.5) * dsp.swell(m, rate, 0.3, 0.6)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, length, 2), rate, 1.5, 0.25)


@kind(
    "dinosaur roar", "a dinosaur roaring", "a dinosaur", "a tyrannosaurus roar", "a giant monster roaring",
    "a dragon roaring", "a huge beast roaring", "a dragon",
)
def dinosaur(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(1.6, 2.6) * rate)
        sweep = dsp.curve(m, [(0, 0.6), (0.15, 1.3), (0.5, 1.1), (1, 0.4)])
        low = call(rng, m, rate, 85 * sweep, [(380 * sweep, 200, 1), (900 * sweep, 400, 0.6)], 1.0, 0.6, 0.5)
        high = call(rng, m, rate, rng.uniform(420, 650) * sweep, [(1200 * sweep, 600, 1), (2600 * sweep, 900, 0.7)], 0.7, 0.3, 0.4)
        return dsp.drive(low + 0.6 * high, 1.5) * dsp.swell(m, rate, 0.1, 0.8)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 2.5, 2), rate, 2.0, 0.3)
