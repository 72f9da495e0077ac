"""Engines and horns on the road."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.engines import engine, horns, passing, rev_curve
from engine.training.sounds.kinds import Sound, kind


@kind(
    "car engine idling",
    "a car engine idling, an idling car, a car engine running, a car standing with its engine "
    "on, an engine idling, a car's motor at idle, a parked car with the engine running",
    texture=True,
)
def car_idle(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(22, 34) * dsp.wander(rng, n, rate, 2, 0.96, 1.04)
    exhaust = [
        (rng.uniform(55, 95), 3, 1.0),
        (rng.uniform(150, 260), 4, 0.7),
        (rng.uniform(400, 800), 3, 0.3),
    ]
    tick = dsp.resonate(dsp.firings(rng, hz / 2, n, rate, 0.4), 2600, 4, rate)
    return engine(rng, n, rate, hz, exhaust, 0.2) + rng.uniform(0.05, 0.15) * dsp.unit(tick)


@kind(
    "car engine revving",
    "a car engine revving, a revving engine, someone revving a car, revving up a car engine, a "
    "sports car revving, an engine being revved, a roaring car engine",
)
def car_rev(rng: np.random.Generator, n: int, rate: int) -> Signal:
    low = rng.uniform(28, 40)
    hz = rev_curve(rng, n, rate, low, low * rng.uniform(5, 8))
    exhaust = [
        (95, 2, 1.0),
        (rng.uniform(200, 320), 2.5, 0.9),
        (rng.uniform(550, 900), 2, 0.6),
        (1900, 2, 0.25),
    ]
    x = engine(rng, n, rate, hz, exhaust, 0.08)
    return x * (0.25 + hz / hz.max())


@kind(
    "car passing",
    "a car passing by, a car driving past, a passing car, a vehicle driving by, a car rushing "
    "past on the road, a car whooshing by, traffic passing",
)
def car_passing(rng: np.random.Generator, n: int, rate: int) -> Signal:
    doppler, gain, near = passing(n, rate, rng.uniform(12, 28), rng.uniform(0.35, 0.65))
    tyres = dsp.sweep_lowpass(dsp.coloured(rng, n, -2), rate, 300 + 3200 * near, 1)
    motor = engine(rng, n, rate, rng.uniform(60, 110) * doppler, [(110, 2, 1), (260, 2, 0.7)])
    return (dsp.unit(tyres) + 0.4 * motor) * gain


@kind(
    "race car",
    "a race car passing, a racing car, a formula one car, a race car zooming by, a fast racing "
    "car driving past, motor racing",
)
def race_car(rng: np.random.Generator, n: int, rate: int) -> Signal:
    doppler, gain, near = passing(n, rate, rng.uniform(55, 80), rng.uniform(0.35, 0.6))
    hz = rng.uniform(380, 620) * doppler
    x = dsp.wavetable(hz, dsp.saw_amplitudes(30, 0.7), n, rate) + 0.6 * dsp.wavetable(
        hz / 2, dsp.saw_amplitudes(30, 0.8), n, rate
    )
    x += 0.3 * dsp.white(rng, n)
    return dsp.sweep_lowpass(dsp.drive(x, 1.5), rate, 700 + 6000 * near, 1) * (0.04 + gain)


@kind(
    "car starting",
    "a car starting, a car engine starting, starting a car, turning the ignition, a car being "
    "started, a starter motor cranking and the engine starting",
)
def car_starting(rng: np.random.Generator, n: int, rate: int) -> Signal:
    start = int(rng.uniform(0.02, 0.15) * n)
    crank = int(rng.uniform(0.18, 0.4) * n)
    whirr_hz = rng.uniform(9, 12)
    lurch = 0.6 + 0.4 * np.sin(2 * np.pi * whirr_hz * np.arange(crank) / rate)
    whirr = dsp.wavetable(
        rng.uniform(230, 330) * (0.9 + 0.12 * lurch), dsp.saw_amplitudes(20, 0.8), crank, rate
    )
    whirr = dsp.unit(whirr + dsp.band_noise(rng, crank, rate, 400, 2500)) * lurch
    out = np.zeros(n)
    dsp.add(out, 0.6 * whirr, start)
    rest = max(16, n - start - crank)
    hz = dsp.curve(rest, [(0, 25), (0.08, 75), (0.35, 45), (1, 30)])
    dsp.add(
        out,
        engine(rng, rest, rate, hz, [(80, 2, 1), (220, 2, 0.7), (600, 2, 0.4)], 0.15),
        start + crank,
    )
    return out


@kind(
    "motorcycle",
    "a motorcycle, a motorbike, a motorcycle engine, a chopper motorcycle idling, a motorcycle "
    "revving, a rumbling motorbike, a biker revving the engine",
)
def motorcycle(rng: np.random.Generator, n: int, rate: int) -> Signal:
    low = rng.uniform(18, 32)
    hz = rev_curve(rng, n, rate, low, low * rng.uniform(2.5, 7))
    exhaust = [
        (rng.uniform(70, 110), 2, 1.0),
        (rng.uniform(240, 380), 3, 0.9),
        (rng.uniform(700, 1200), 3, 0.6),
    ]
    x = engine(rng, n, rate, hz, exhaust, 0.45, 2, 0.5)
    return dsp.drive(x * (0.4 + hz / hz.max()), 1.2)


@kind(
    "moped",
    "a moped, a scooter buzzing by, a motor scooter, a small two-stroke engine, a buzzing "
    "moped, a dirt bike",
)
def moped(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(70, 130) * dsp.wander(rng, n, rate, 0.8, 0.75, 1.5)
    x = engine(rng, n, rate, hz, [(420, 3, 1.0), (980, 3, 1.0), (2300, 3, 0.7)], 0.25, 1, 0.5)
    return x


@kind(
    "truck",
    "a truck, a truck engine, a diesel engine, a heavy lorry, a truck idling, a big diesel "
    "truck, a diesel motor rattling, a bus engine",
    texture=True,
)
def truck(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(26, 45) * dsp.wander(rng, n, rate, 0.6, 0.9, 1.15)
    knock = dsp.body(
        dsp.firings(rng, hz, n, rate, 0.35, 6), rate, [(1100, 6, 1), (1900, 6, 0.8), (3100, 7, 0.5)]
    )
    x = engine(rng, n, rate, hz, [(48, 2, 1.2), (120, 3, 1.0), (310, 3, 0.5)], 0.15, 6, 0.4)
    return x + rng.uniform(0.25, 0.5) * dsp.unit(knock)


@kind(
    "tractor",
    "a tractor, an old tractor chugging, a farm tractor, a tractor engine, a slow chugging "
    "engine, a tractor in a field",
    texture=True,
)
def tractor(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(9, 15) * dsp.wander(rng, n, rate, 0.6, 0.93, 1.1)
    return engine(
        rng, n, rate, hz, [(70, 2, 1.0), (190, 3, 1.0), (520, 3, 0.8), (1300, 4, 0.3)], 0.2, 2, 0.7
    )


@kind(
    "car horn",
    "a car horn, a car honking, a driver honking, a honk, a car beeping its horn, honking in "
    "traffic, a vehicle horn",
)
def car_horn(rng: np.random.Generator, n: int, rate: int) -> Sound:
    root = rng.uniform(330, 460)
    freqs, length = [root, root * 1.26], dsp.log_uniform(rng, 0.18, 1.6)
    x = dsp.one_shots(
        rng, n, rate, lambda: horns(rng, int(length * rate), rate, freqs, 4500), length, 4
    )
    return x, {"length": dsp.grade(length, 0.35, 0.9, ("short", "", "long"))}


@kind(
    "bicycle bell",
    "a bicycle bell, a bike bell, a bicycle bell ringing, a cyclist ringing a bell, a bike's "
    "bell going ring ring, a ringing bicycle bell",
)
def bicycle_bell(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(1900, 2900)

    def clip() -> Signal:
        out = np.zeros(int(1.6 * rate))
        for index in range(int(rng.integers(4, 9))):
            partials = [hz * r * rng.uniform(0.999, 1.001) for r in (1, 1.007, 1.72, 2.53)]
            ding = dsp.modes(
                rng, int(0.9 * rate), rate, partials, [0.9, 0.9, 0.5, 0.3], [1, 0.8, 0.6, 0.4]
            )
            dsp.add(
                out, ding, int(index * 0.055 * rng.uniform(0.9, 1.1) * rate), rng.uniform(0.6, 1)
            )
        return out

    return dsp.one_shots(rng, n, rate, clip, 1.3, 3)


@kind(
    "brakes squeal",
    "brakes squealing, a car skidding, tires screeching, screeching brakes, a car braking hard, "
    "squealing tyres, a vehicle skidding to a halt",
)
def skid(rng: np.random.Generator, n: int, rate: int) -> Signal:
    length, base = rng.uniform(0.8, 2.2), rng.uniform(750, 1300)

    def clip() -> Signal:
        m = int(length * rate)
        hz = (
            base
            * dsp.curve(m, [(0, 1.05), (0.2, 1.1), (0.8, 1.0), (1, 0.8)])
            * dsp.wander(rng, m, rate, 12, 0.97, 1.03)
        )
        tone = dsp.wavetable(hz, np.array([1, 0.5, 0.5, 0.3, 0.2]), m, rate)
        tone += 0.8 * dsp.wavetable(hz * 1.31, np.array([1, 0.4, 0.3]), m, rate)
        rough = 1 + 0.5 * dsp.lowpass(dsp.white(rng, m), 120, rate) * 3
        rubber = dsp.band_noise(rng, m, rate, 500, 3000)
        return (dsp.unit(tone * rough) + 0.5 * rubber) * dsp.swell(m, rate, 0.06, 0.2)

    return dsp.one_shots(rng, n, rate, clip, length, 2)


@kind(
    "horse carriage",
    "a horse-drawn carriage, a horse and cart, a carriage on cobblestones, hooves and wagon "
    "wheels, a horse pulling a wagon, a horse-drawn cart rolling",
)
def carriage(rng: np.random.Generator, n: int, rate: int) -> Signal:
    rattle = dsp.body(
        dsp.sparks(rng, n, rate, 90, 2), rate, [(300, 3, 1), (750, 4, 0.8), (1600, 4, 0.5)]
    )

    def hoof() -> Signal:
        m = int(0.12 * rate)
        return dsp.modes(
            rng,
            m,
            rate,
            [620 * rng.uniform(0.9, 1.1), 1300, 2100],
            [0.06, 0.05, 0.03],
            [1, 0.7, 0.4],
        )

    hooves = dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.26, 0.4), 0.06), hoof)
    return dsp.peak(hooves) + 0.18 * dsp.unit(rattle)
