"""Insects."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import kind


@kind(
    "crickets",
    "crickets chirping, crickets, crickets at night, a summer night with crickets, chirping "
    "crickets, a cricket, grasshoppers chirping",
    texture=True,
)
def crickets(rng: np.random.Generator, n: int, rate: int) -> Signal:
    out = np.zeros(n)
    for _ in range(int(rng.integers(1, 5))):
        hz, trill = rng.uniform(3900, 5300), rng.uniform(26, 34)
        p = dsp.cycles(rng.uniform(1.3, 2.6), n, rate, rng.random()) % 1.0
        wing = np.clip(np.sin(2 * np.pi * dsp.cycles(trill, n, rate)), 0, None)
        out += (
            rng.uniform(0.3, 1)
            * dsp.sine(hz, n, rate)
            * wing
            * dsp.lowpass((p < 0.45) * 1.0, 60, rate, 1)
        )
    return out + 0.01 * dsp.band_noise(rng, n, rate, 1000, 7000)


@kind(
    "cicadas",
    "cicadas, cicadas buzzing, cicadas on a hot day, a loud chorus of cicadas, insects buzzing "
    "in the trees, the drone of cicadas",
    texture=True,
)
def cicadas(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = dsp.sculpt(
        dsp.white(rng, n),
        dsp.peak_gains(
            n, rate, [(rng.uniform(4200, 5200), 700, 1), (rng.uniform(5800, 6800), 900, 0.6)]
        ),
    )
    rasp = 0.5 + 0.5 * dsp.saw(rng.uniform(90, 160), n, rate)
    return x * rasp * dsp.wander(rng, n, rate, 1.2, 0.3, 1.0)


def insect(
    rng: np.random.Generator, n: int, rate: int, hz: float, slope: float, bend: float
) -> Signal:
    """Beating wings of an insect that flies about."""
    flight = dsp.wander(rng, n, rate, 2.5, 1 - bend, 1 + bend) * dsp.wander(
        rng, n, rate, 20, 0.985, 1.015
    )
    near = dsp.wander(rng, n, rate, 1.3, 0.12, 1.0)
    wings = dsp.wavetable(hz * flight, dsp.saw_amplitudes(40, slope), n, rate)
    flutter = np.abs(wings) * dsp.highpass(dsp.white(rng, n), 400, rate)
    return (wings + rng.uniform(0.02, 0.2) * flutter) * near


@kind(
    "bee",
    "a bee buzzing, a buzzing bee, a bumblebee, a bee flying around, a honey bee, a wasp "
    "buzzing, the buzz of a bee",
)
def bee(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return dsp.body(
        insect(rng, n, rate, rng.uniform(150, 235), 0.8, 0.12),
        rate,
        [(450, 1.5, 1), (1100, 2, 0.6)],
        0.3,
    )


@kind(
    "mosquito",
    "a mosquito, a mosquito whining, a mosquito buzzing by the ear, a gnat, a whining mosquito, "
    "the high whine of a mosquito",
)
def mosquito(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return insect(rng, n, rate, rng.uniform(520, 780), 1.4, 0.06)


@kind(
    "fly buzz",
    "a fly buzzing, a house fly, a buzzing fly, a fly in the room, a fly flying around, an "
    "annoying fly, a bluebottle",
)
def fly(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = insect(rng, n, rate, rng.uniform(180, 260), 0.6, 0.25)
    rests = dsp.lowpass((dsp.wander(rng, n, rate, 1.5, 0, 1) > 0.3) * 1.0, 15, rate, 1)
    return dsp.bandpass(x, 300, 3500, rate, 1) * (0.03 + rests)


@kind(
    "bee swarm",
    "a swarm of bees, a beehive, many bees buzzing, a swarm of insects, bees in a hive, a swarm "
    "of wasps, a cloud of flies",
    texture=True,
)
def swarm(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return sum(insect(rng, n, rate, rng.uniform(140, 260), 0.9, 0.12) for _ in range(9))
