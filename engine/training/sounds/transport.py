"""Trains, ships and aircraft."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.engines import engine, horns
from engine.training.sounds.kinds import Sound, kind


@kind(
    "train passing",
    "a train passing, a train on the tracks, a train going by, railway wheels clacking, a train "
    "rattling along the rails, a freight train, a subway train",
    texture=True,
)
def train(rng: np.random.Generator, n: int, rate: int) -> Sound:
    rumble = dsp.unit(dsp.lowpass(dsp.coloured(rng, n, -4), 500, rate))
    period = dsp.log_uniform(rng, 0.45, 1.1)

    def bogie() -> Signal:
        m = int(0.35 * rate)
        out = np.zeros(m)
        for start in (0.0, rng.uniform(0.1, 0.13)):
            hits = dsp.modes(
                rng,
                m,
                rate,
                [95, 210, 480, 1150, 2300],
                [0.2, 0.15, 0.12, 0.08, 0.05],
                [1, 0.9, 0.8, 0.5, 0.3],
            )
            dsp.add(
                out, hits + 0.4 * dsp.white(rng, m) * dsp.decay(m, rate, 0.06), int(start * rate)
            )
        return out

    clacks = dsp.place(n, rate, dsp.beat(rng, n / rate, period, 0.02), bogie)
    squeal = dsp.sculpt(
        dsp.white(rng, n),
        dsp.peak_gains(n, rate, [(dsp.wander(rng, n, rate, 1, 1800, 2600), 40, 1)]),
    )
    return (
        rumble + 0.8 * clacks + 0.15 * dsp.unit(squeal * dsp.wander(rng, n, rate, 1, 0, 1) ** 3)
    ), {"speed": dsp.grade(period, 0.6, 0.85, ("fast", "", "slow"))}


@kind(
    "train horn",
    "a train horn, a locomotive horn, a train blowing its horn, a loud train horn, the horn of "
    "a train, a railway horn, a freight train horn blaring",
)
def train_horn(rng: np.random.Generator, n: int, rate: int) -> Signal:
    root = rng.uniform(250, 330)
    freqs = [root * r for r in (1.0, 1.19, 1.41, 1.68)]
    length = rng.uniform(0.8, 2.2)
    x = dsp.one_shots(
        rng, n, rate, lambda: horns(rng, int(length * rate), rate, freqs, 3500), length, 3
    )
    return dsp.room(rng, x, rate, 1.8, 0.25)


@kind(
    "ship horn",
    "a ship horn, a foghorn, a ferry horn, a cruise ship blowing its horn, a deep ship's horn, "
    "a boat horn in the harbour",
)
def ship_horn(rng: np.random.Generator, n: int, rate: int) -> Signal:
    root, length = rng.uniform(65, 120), rng.uniform(1.6, 3.2)
    freqs = [root, root * rng.choice((1.5, 1.335, 1.26))]
    x = dsp.one_shots(
        rng, n, rate, lambda: horns(rng, int(length * rate), rate, freqs, 1200), length, 2
    )
    return dsp.room(rng, x, rate, 3.0, 0.35)


@kind(
    "steam train",
    "a steam train, a steam locomotive, a steam engine chuffing, an old steam train, a puffing "
    "locomotive, a choo-choo train, a steam train chugging along",
)
def steam_train(rng: np.random.Generator, n: int, rate: int) -> Sound:
    start, stop = dsp.log_uniform(rng, 1.5, 5.0), 0.0
    stop = start * rng.uniform(0.9, 1.5)
    p = dsp.cycles(np.linspace(start, stop, n), n, rate, rng.random())
    beat, accent = p % 1.0, np.where(np.floor(p) % 4 == 0, 1.0, 0.7)
    puff = np.minimum(1, beat / 0.06) * np.exp(-5 * beat) * accent
    chuff = dsp.bandpass(dsp.coloured(rng, n, -1.5), 200, 3500, rate, 1) * puff
    rumble = dsp.lowpass(dsp.coloured(rng, n, -5), 200, rate)
    x = dsp.unit(chuff) + 0.2 * dsp.unit(rumble)
    if dsp.chance(rng, 0.35):
        dsp.add(x, whistle(rng, int(1.3 * rate), rate), int(rng.uniform(0.1, 0.6) * n), 0.7)
    return x, {"speed": dsp.grade(start, 2.2, 3.6, ("slow", "", "fast"))}


def whistle(rng: np.random.Generator, n: int, rate: int) -> Signal:
    """Steam whistle: a chord of breathy pipes."""
    root = rng.uniform(380, 520)
    bend = dsp.curve(n, [(0, 0.9), (0.1, 1), (0.85, 1), (1, 0.88)])
    x = sum(
        dsp.wavetable(root * r * bend, np.array([1, 0.3, 0.2, 0.1]), n, rate)
        for r in (1, 1.26, 1.5, 1.88)
    )
    steam = dsp.band_noise(rng, n, rate, 800, 6000)
    return (dsp.unit(x) + 0.25 * steam) * dsp.swell(n, rate, 0.08, 0.25)


@kind(
    "steam whistle",
    "a steam whistle, a train whistle, a steam locomotive whistle, a factory whistle, an old "
    "train whistle blowing, a steamboat whistle",
)
def steam_whistle(rng: np.random.Generator, n: int, rate: int) -> Signal:
    length = rng.uniform(0.7, 2.0)
    x = dsp.one_shots(rng, n, rate, lambda: whistle(rng, int(length * rate), rate), length, 3)
    return dsp.room(rng, x, rate, 1.6, 0.25)


@kind(
    "helicopter",
    "a helicopter, a helicopter flying, a chopper overhead, helicopter rotor blades, a hovering "
    "helicopter, a helicopter flying by, rotor blades thumping",
    texture=True,
)
def helicopter(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(9, 17)
    p = dsp.cycles(hz * dsp.wander(rng, n, rate, 1, 0.98, 1.02), n, rate) % 1.0
    slap = np.exp(-9 * p) * np.minimum(1, p / 0.03)
    thump = dsp.unit(dsp.lowpass(dsp.coloured(rng, n, -3), 350, rate) * slap) + dsp.unit(
        dsp.resonate(slap, 85, 1.5, rate)
    )
    swish = dsp.bandpass(dsp.white(rng, n), 500, 2500, rate) * (0.15 + slap)
    whine = dsp.wavetable(rng.uniform(400, 900), np.array([1, 0.2, 0.3]), n, rate)
    return (thump + 0.4 * dsp.unit(swish) + 0.06 * whine) * dsp.wander(rng, n, rate, 0.5, 0.5, 1.0)


@kind(
    "propeller plane",
    "a propeller plane, a small airplane, a propeller aircraft flying by, a light aircraft, a "
    "droning propeller plane, an old airplane engine, a biplane",
    texture=True,
)
def propeller(rng: np.random.Generator, n: int, rate: int) -> Signal:
    bend = (
        dsp.curve(n, [(0, 1.04), (0.4, 1.03), (0.6, 0.97), (1, 0.96)])
        if dsp.chance(rng, 0.5)
        else 1.0
    )
    hz = rng.uniform(70, 120) * bend * dsp.wander(rng, n, rate, 1, 0.99, 1.01)
    x = dsp.wavetable(hz, dsp.saw_amplitudes(30, 0.9), n, rate)
    x += 0.35 * dsp.wavetable(hz * 1.013, dsp.saw_amplitudes(30, 1.0), n, rate)
    x = dsp.body(x + 0.9 * dsp.white(rng, n), rate, [(160, 1.5, 1), (500, 2, 0.8), (1300, 2, 0.4)])
    return x * dsp.wander(rng, n, rate, 0.5, 0.5, 1)


@kind(
    "jet",
    "a jet flying over, a jet plane, a fighter jet, an airplane taking off, a jet engine "
    "roaring, an airliner overhead, a jet flyby",
)
def jet(rng: np.random.Generator, n: int, rate: int) -> Signal:
    middle = rng.uniform(0.3, 0.6)
    near = dsp.curve(n, [(0, 0.15), (middle, 1.0), (1, 0.25)])
    roar = dsp.sweep_lowpass(dsp.coloured(rng, n, -2.5), rate, 250 + 3500 * near**2, 1)
    hz = rng.uniform(1500, 2600) * dsp.curve(
        n, [(0, 1.15), (middle - 0.1, 1.12), (middle + 0.15, 0.8), (1, 0.72)]
    )
    whine = dsp.sculpt(
        dsp.white(rng, n), dsp.peak_gains(n, rate, [(hz, 90, 1), (hz * 1.49, 120, 0.4)])
    )
    fade = dsp.curve(n, [(0, 0.2), (middle - 0.1, 1), (middle + 0.2, 0.2), (1, 0.05)])
    return dsp.unit(roar) * near**1.5 + 0.35 * dsp.unit(whine) * fade


@kind(
    "boat motor",
    "a motorboat, a boat motor, an outboard motor, a speedboat, a boat engine puttering, a "
    "fishing boat's engine",
    texture=True,
)
def boat(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(30, 70) * dsp.wander(rng, n, rate, 1.2, 0.93, 1.08)
    x = engine(rng, n, rate, hz, [(120, 2, 1), (330, 3, 0.8), (850, 3, 0.3)], 0.25, 2)
    wash = dsp.band_noise(rng, n, rate, 300, 3500) * dsp.wander(rng, n, rate, 5, 0.2, 1)
    return x * dsp.wander(rng, n, rate, 7, 0.6, 1) + 0.35 * wash
