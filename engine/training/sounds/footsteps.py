"""Walking and running on different grounds, clothes, and things bodies do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.impacts import WOOD, hit
from engine.training.sounds.kinds import Sound, kind

Step = Callable[[], Signal]


def walk(rng: np.random.Generator, n: int, rate: int, step: Step) -> Sound:
    """Steps at a walking pace, left and right a little different."""
    period = dsp.log_uniform(rng, 0.42, 0.85)
    out = np.zeros(n)
    for index, time in enumerate(dsp.beat(rng, n / rate, period, 0.04)):
        dsp.add(
            out, step(), int(time * rate), rng.uniform(0.75, 1.0) * (0.88 if index % 2 else 1.0)
        )
    if dsp.chance(rng, 0.4):
        out = dsp.room(rng, out, rate, rng.uniform(0.3, 1.2), 0.2)
    return out, {"speed": dsp.grade(period, 0.5, 0.7, ("fast", "", "slow"))}


def heel_and_toe(rng: np.random.Generator, rate: int, heel: Signal, toe: Signal) -> Signal:
    out = np.zeros(int(0.35 * rate))
    dsp.add(out, heel, 0)
    dsp.add(out, toe, int(rng.uniform(0.06, 0.1) * rate), rng.uniform(0.3, 0.6))
    return out


def grit(
    rng: np.random.Generator, rate: int, length_s: float, low: float, high: float, density: float
) -> Signal:
    """Small stones, crystals or leaves pressed by a foot: heel, then the roll to the toe."""
    n = int(length_s * rate)
    level = dsp.curve(n, [(0, 0), (0.08, 1), (0.3, 0.5), (0.55, 0.8), (1, 0)])
    grains = dsp.sparks(rng, n, rate, density * level, 2.5)
    return dsp.unit(dsp.bandpass(grains, low, high, rate, 1) * level)


@kind(
    "footsteps on wood",
    "footsteps on a wooden floor, someone walking on wood, footsteps on floorboards, a person "
    "walking on a wooden floor, steps on wood, walking on a wooden deck, shoes on a wooden "
    "floor",
)
def on_wood(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz = rng.uniform(95, 170)

    def step() -> Signal:
        heel = hit(rng, rate, hz * rng.uniform(0.95, 1.05), WOOD, 0.14, 0.7, 2500)
        return heel_and_toe(rng, rate, heel, hit(rng, rate, hz * 1.5, WOOD, 0.09, 0.6, 2500))

    return walk(rng, n, rate, step)


@kind(
    "footsteps on gravel",
    "footsteps on gravel, someone walking on gravel, crunching gravel footsteps, walking over "
    "pebbles, steps on a gravel path, a person walking on stones",
)
def on_gravel(rng: np.random.Generator, n: int, rate: int) -> Sound:
    return walk(rng, n, rate, lambda: grit(rng, rate, 0.38, 900, 5500, 2600))


@kind(
    "footsteps in snow",
    "footsteps in snow, someone walking in snow, crunching snow underfoot, walking through deep "
    "snow, steps in fresh snow, boots crunching in the snow",
)
def in_snow(rng: np.random.Generator, n: int, rate: int) -> Sound:
    def step() -> Signal:
        m = int(0.42 * rate)
        level = dsp.curve(m, [(0, 0), (0.1, 0.8), (0.45, 1), (1, 0)])
        squeak = dsp.firings(rng, dsp.curve(m, [(0, 160), (1, 320)]), m, rate, 0.6, 1)
        creak = dsp.body(squeak, rate, [(700, 2, 1), (1500, 2, 0.7)])
        return (dsp.unit(creak) + 0.7 * dsp.band_noise(rng, m, rate, 300, 2200)) * level

    return walk(rng, n, rate, step)


@kind(
    "footsteps in leaves",
    "footsteps in dry leaves, walking through autumn leaves, someone walking in the forest, "
    "leaves crunching underfoot, steps in dead leaves, a person walking through leaves",
)
def in_leaves(rng: np.random.Generator, n: int, rate: int) -> Sound:
    return walk(rng, n, rate, lambda: grit(rng, rate, 0.55, 2200, 7200, 700))


@kind(
    "high heels",
    "high heels walking, a woman walking in high heels, high heels on a hard floor, heels "
    "clicking on tiles, clicking heels, high-heeled shoes on marble",
)
def high_heels(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz = rng.uniform(900, 1500)

    def step() -> Signal:
        heel = hit(rng, rate, hz * rng.uniform(0.96, 1.04), (1, 1.7, 2.9, 4.1), 0.06, 1.2, 6000)
        return heel_and_toe(
            rng, rate, heel, 0.5 * hit(rng, rate, hz * 0.6, WOOD[:3], 0.04, 0.5, 3000)
        )

    x, attributes = walk(rng, n, rate, step)
    return dsp.room(rng, x, rate, 1.0, 0.2), attributes


@kind(
    "footsteps on concrete",
    "footsteps on concrete, footsteps, someone walking, footsteps on pavement, a person walking "
    "down the street, walking on a hard floor, steps on stone",
)
def on_concrete(rng: np.random.Generator, n: int, rate: int) -> Sound:
    def step() -> Signal:
        m = int(0.1 * rate)
        heel = dsp.bandpass(dsp.white(rng, m), 180, 2600, rate, 1) * dsp.decay(m, rate, 0.07, 0.001)
        heel += 0.8 * dsp.sine(rng.uniform(85, 110), m, rate) * dsp.decay(m, rate, 0.08, 0.002)
        scuff = dsp.band_noise(rng, m, rate, 1500, 5000) * dsp.swell(m, rate, 0.03, 0.05) * 0.25
        return heel_and_toe(rng, rate, dsp.unit(heel), scuff)

    return walk(rng, n, rate, step)


@kind(
    "footsteps in water",
    "footsteps in puddles, someone walking through water, splashing footsteps, wading through "
    "shallow water, walking in mud, squelching footsteps",
)
def in_water(rng: np.random.Generator, n: int, rate: int) -> Sound:
    def step() -> Signal:
        m = int(0.4 * rate)
        slap = dsp.sweep_band(
            dsp.white(rng, m), rate, dsp.curve(m, [(0, 900), (0.3, 2600), (1, 1300)]), 0.9
        )
        squelch = dsp.sine(dsp.curve(m, [(0, 350), (1, 800)]), m, rate) * dsp.decay(
            m, rate, 0.15, 0.02
        )
        drops = dsp.body(dsp.sparks(rng, m, rate, 150, 2), rate, [(1500, 6, 1), (2600, 6, 1)])
        return dsp.unit(slap) * dsp.decay(m, rate, 0.35, 0.01) + 0.3 * squelch + 0.5 * drops

    return walk(rng, n, rate, step)


@kind(
    "running",
    "someone running, running footsteps, a person running, fast footsteps, a jogger running, "
    "sprinting feet, someone running away",
)
def running(rng: np.random.Generator, n: int, rate: int) -> Signal:
    gravel = dsp.chance(rng, 0.4)

    def step() -> Signal:
        m = int(0.16 * rate)
        thud = dsp.lowpass(dsp.white(rng, m), 700, rate) * dsp.decay(m, rate, 0.12, 0.002)
        slap = dsp.band_noise(rng, m, rate, 700, 3500) * dsp.decay(m, rate, 0.06, 0.001)
        x = dsp.unit(thud) + 0.35 * slap
        return x + 0.6 * grit(rng, rate, 0.16, 900, 5500, 2600)[:m] if gravel else x

    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.24, 0.36), 0.04), step)


@kind(
    "clothes rustling",
    "clothes rustling, fabric rustling, someone moving in a jacket, the rustle of fabric, cloth "
    "being moved, putting on a coat",
)
def clothes(rng: np.random.Generator, n: int, rate: int) -> Signal:
    moves = np.clip(dsp.wander(rng, n, rate, 3.5, -0.5, 1), 0.02, 1) ** 1.5
    x = dsp.sweep_band(dsp.coloured(rng, n, -1), rate, 900 + 2000 * moves, 1.0)
    return x * moves * dsp.wander(rng, n, rate, 35, 0.4, 1)


@kind(
    "zipper",
    "a zipper, a zip being closed, someone zipping up a jacket, opening a zipper, unzipping a "
    "bag, a zipper pulled up, a zip",
)
def zipper(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(0.35, 0.8) * rate)
        start, stop = (130, 330) if dsp.chance(rng, 0.6) else (330, 150)
        teeth = dsp.firings(rng, dsp.curve(m, [(0, start), (1, stop)]), m, rate, 0.5)
        x = dsp.body(teeth, rate, [(1800, 2, 0.7), (3500, 2, 1), (5800, 2, 0.8)])
        rub = dsp.band_noise(rng, m, rate, 900, 6000)
        return (dsp.unit(x) + rng.uniform(0.2, 0.8) * rub) * dsp.swell(m, rate, 0.03, 0.04)

    return dsp.one_shots(rng, n, rate, clip, 0.8, 4)
