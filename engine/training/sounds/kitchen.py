"""Cooking, eating and drinking vessels."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.impacts import METAL, PLATE, WOOD, hit
from engine.training.sounds.kinds import Sound, kind
from engine.training.sounds.machines import electric_motor, switched


@kind(
    "microwave",
    "a microwave oven, a microwave running and beeping, a microwave, a microwave finishing, "
    "kitchen microwave hum and beeps, food heating in the microwave",
)
def microwave(rng: np.random.Generator, n: int, rate: int) -> Signal:
    stop = int(rng.uniform(0.4, 0.7) * n)
    hum = dsp.wavetable(rng.choice((100.0, 120.0)), np.array([0.6, 1, 0.3, 0.5, 0.1, 0.2]), n, rate)
    hum = hum + 0.5 * dsp.band_noise(rng, n, rate, 150, 1500)
    hum[stop:] = 0
    out = 0.35 * hum
    beep = dsp.sine(rng.uniform(1900, 2400), int(0.35 * rate), rate) * dsp.swell(
        int(0.35 * rate), rate, 0.005, 0.01
    )
    dsp.add(out, hit(rng, rate, 500, WOOD, 0.1, 1.0), stop)
    for index in range(4):
        dsp.add(out, beep, stop + int((0.2 + 0.7 * index) * rate))
    return out


@kind(
    "frying",
    "food frying in a pan, sizzling bacon, something frying, a sizzling pan, frying oil, meat "
    "sizzling on a grill, cooking in a hot pan",
    texture=True,
)
def frying(rng: np.random.Generator, n: int, rate: int) -> Signal:
    pops = dsp.body(
        dsp.sparks(rng, n, rate, rng.uniform(80, 300), 4), rate, [(2500, 2, 1), (5000, 2, 1)]
    )
    sizzle = dsp.highpass(dsp.white(rng, n), 2800, rate) * dsp.wander(rng, n, rate, 12, 0.6, 1)
    return dsp.unit(pops) + rng.uniform(0.4, 0.9) * dsp.unit(sizzle)


@kind(
    "chopping",
    "chopping vegetables, a knife on a cutting board, someone chopping food, a chef chopping, "
    "cutting vegetables, a kitchen knife chopping, chopping on a wooden board",
)
def chopping(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz, period = rng.uniform(180, 320), dsp.log_uniform(rng, 0.14, 0.5)

    def chop() -> Signal:
        m = int(0.04 * rate)
        x = hit(rng, rate, hz, WOOD, 0.1, 0.9, 4500)
        dsp.add(x, dsp.band_noise(rng, m, rate, 2500, 6500) * np.hanning(m), 0, 0.2)
        return x * rng.uniform(0.7, 1)

    return (dsp.place(n, rate, dsp.beat(rng, n / rate, period, 0.08), chop)), {
        "speed": dsp.grade(period, 0.2, 0.34, ("fast", "", "slow"))
    }


@kind(
    "opening a can",
    "a can being opened, opening a soda can, a beer can opening, a fizzy drink being opened, a "
    "can cracking open with a hiss, the hiss of a soda can",
)
def can(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        out = np.zeros(int(1.5 * rate))
        dsp.add(out, hit(rng, rate, rng.uniform(1200, 1900), METAL[:6], 0.1, 2.0, 7000), 0)
        m = int(0.35 * rate)
        dsp.add(
            out,
            dsp.highpass(dsp.white(rng, m), 2500, rate) * dsp.decay(m, rate, 0.4, 0.003),
            int(0.01 * rate),
            0.7,
        )
        dsp.add(out, hit(rng, rate, 900, METAL[:6], 0.12, 1.5, 6000), int(0.25 * rate), 0.7)
        fizz = dsp.highpass(dsp.sparks(rng, int(1.1 * rate), rate, 900, 3), 3000, rate)
        dsp.add(out, fizz * np.linspace(1, 0.2, fizz.size), int(0.35 * rate), 0.5)
        return out

    return dsp.one_shots(rng, n, rate, clip, 1.5, 2)


@kind(
    "cork pop",
    "a cork popping, a champagne bottle being opened, a champagne cork, a wine bottle uncorked, "
    "the pop of a cork, opening a bottle of champagne",
)
def cork(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(0.18 * rate)
        pop = dsp.sine(
            rng.uniform(320, 480) * dsp.curve(m, [(0, 0.8), (0.3, 1.3), (1, 1.1)]), m, rate
        ) * dsp.decay(m, rate, 0.12)
        pop[:80] += dsp.white(rng, 80) * np.linspace(0.8, 0, 80)
        fizz = (
            0.05
            * dsp.highpass(dsp.white(rng, int(0.9 * rate)), 3500, rate)
            * dsp.decay(int(0.9 * rate), rate, 1.2, 0.05)
        )
        return np.concatenate([pop, fizz])

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 1.1, 3), rate, 0.5, 0.15)


@kind(
    "blender",
    "a blender, a kitchen blender, a food processor, making a smoothie in a blender, a mixer "
    "grinding, a coffee grinder, coffee beans being ground",
)
def blender(rng: np.random.Generator, n: int, rate: int) -> Signal:
    speed = switched(rng, n, rate, 0.2)
    motor = electric_motor(
        rng,
        n,
        rate,
        rng.uniform(220, 420) * (0.2 + 0.8 * speed) * dsp.wander(rng, n, rate, 5, 0.93, 1.05),
        0.5,
    )
    lumps = dsp.unit(
        dsp.bandpass(dsp.sparks(rng, n, rate, 300, 3), 500, 4000, rate, 1)
    ) * dsp.wander(rng, n, rate, 14, 0, 1)
    return (
        dsp.unit(motor) + 0.8 * lumps + 0.5 * dsp.band_noise(rng, n, rate, 600, 4500)
    ) * speed**1.5


@kind(
    "kettle whistle",
    "a kettle whistling, a whistling tea kettle, a teapot whistling, a boiling kettle's "
    "whistle, a tea kettle on the stove, a kettle coming to a whistle",
)
def kettle(rng: np.random.Generator, n: int, rate: int) -> Signal:
    rise = dsp.curve(n, [(0, rng.uniform(0.1, 1)), (0.5, 1), (1, 1)])
    hz = rng.uniform(1700, 2600) * (0.8 + 0.2 * rise) * dsp.wander(rng, n, rate, 9, 0.99, 1.01)
    x = dsp.wavetable(hz, np.array([1, 0.3, 0.12]), n, rate) + 0.4 * dsp.sine(hz * 1.19, n, rate)
    return (dsp.unit(x) + 0.25 * dsp.highpass(dsp.white(rng, n), 1500, rate)) * rise**2


@kind(
    "dishes",
    "dishes clattering, plates and cutlery clinking, cutlery on plates, washing the dishes, "
    "silverware clinking, clattering crockery, the clatter of dishes in a kitchen",
)
def dishes(rng: np.random.Generator, n: int, rate: int) -> Signal:
    out = np.zeros(n)
    for time in dsp.scattered(rng, n / rate, rng.uniform(4, 9), 3):
        plate = dsp.chance(rng, 0.5)
        hz = rng.uniform(900, 2200) if plate else rng.uniform(2500, 5000)
        clip = hit(
            rng, rate, hz, PLATE[:6] if plate else METAL[:5], rng.uniform(0.12, 0.45), 0.7, 6000
        )
        for _ in range(int(rng.integers(1, 4))):
            dsp.add(out, clip, int((time + rng.exponential(0.05)) * rate), rng.uniform(0.2, 1))
    return out


@kind(
    "glasses clinking",
    "glasses clinking, a toast with glasses, wine glasses clinking, cheers with glasses, two "
    "glasses touching, a clink of glasses",
)
def clink(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        out = np.zeros(int(1.5 * rate))
        for _ in range(2):
            dsp.add(
                out,
                hit(rng, rate, rng.uniform(1500, 2800), (1, 2.32, 4.25), 1.2, 0.3, 7000, 0.5),
                0,
            )
        return out

    return dsp.one_shots(rng, n, rate, clip, 1.2, 4)
