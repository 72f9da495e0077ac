"""Power tools and heavy machines."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.engines import engine, rev_curve
from engine.training.sounds.impacts import METAL, WOOD, hit
from engine.training.sounds.kinds import kind
from engine.training.sounds.machines import electric_motor, switched


@kind(
    "lawnmower",
    "a lawnmower, a lawn mower, someone mowing the lawn, a petrol lawnmower, mowing grass, a "
    "lawnmower engine, a gas mower running",
    texture=True,
)
def lawnmower(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(42, 60) * dsp.wander(rng, n, rate, 1.2, 0.95, 1.04)
    x = engine(
        rng,
        n,
        rate,
        hz,
        [(110, 2, 0.8), (320, 2, 1.0), (850, 2.5, 0.8), (1800, 3, 0.3)],
        0.15,
        1,
        0.4,
    )
    blades = dsp.bandpass(dsp.white(rng, n), 700, 3500, rate, 1) * (
        1 + 0.5 * dsp.sine(hz * 2, n, rate)
    )
    return x + 0.4 * dsp.unit(blades)


@kind(
    "chainsaw",
    "a chainsaw, a chainsaw cutting wood, someone using a chainsaw, a revving chainsaw, a power "
    "saw in the forest, a lumberjack's chainsaw",
)
def chainsaw(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rev_curve(rng, n, rate, rng.uniform(42, 58), rng.uniform(130, 185))
    x = engine(
        rng,
        n,
        rate,
        hz,
        [(250, 2, 0.6), (700, 2, 1.0), (1600, 2, 1.0), (3200, 2, 0.6)],
        0.2,
        1,
        0.5,
    )
    return dsp.drive(x, 1.5) * (0.4 + 0.6 * hz / hz.max())


@kind(
    "drill",
    "an electric drill, a power drill, drilling into a wall, someone drilling a hole, a "
    "cordless drill, a drill, a drill going into wood",
)
def drill(rng: np.random.Generator, n: int, rate: int) -> Signal:
    out, t = np.zeros(n), rng.uniform(0, 0.3)
    top = rng.uniform(260, 480)
    while t < n / rate - 0.2:
        m = int(rng.uniform(0.7, 2.5) * rate)
        speed = np.minimum(1, np.arange(m) / (0.18 * rate)) * dsp.curve(
            m, [(0, 1), (0.9, 0.9), (1, 0.3)]
        )
        load = dsp.wander(rng, m, rate, 4, 0.85, 1.05)
        x = electric_motor(rng, m, rate, 40 + top * speed * load, 0.6)
        x += rng.uniform(0.3, 1.0) * dsp.highpass(dsp.white(rng, m), 1200, rate) * speed
        dsp.add(
            out, dsp.bandpass(x, 200, 6000, rate, 1) * dsp.swell(m, rate, 0.03, 0.1), int(t * rate)
        )
        t += m / rate + rng.uniform(0.15, 0.7)
    return out


@kind(
    "dentist drill",
    "a dentist's drill, a dental drill, a high-speed dental drill, a drill at the dentist, the "
    "whine of a dentist drill, a tooth being drilled",
)
def dentist(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(2600, 3900) * dsp.wander(rng, n, rate, 1.5, 0.9, 1.04)
    x = dsp.wavetable(hz, np.array([1, 0.4, 0.2]), n, rate) + 0.5 * dsp.wavetable(
        hz * 0.501, np.array([1, 0.3]), n, rate
    )
    on = dsp.lowpass((dsp.wander(rng, n, rate, 1.2, 0, 1) > 0.28) * 1.0, 8, rate, 1)
    return (
        dsp.unit(x) + 0.15 * dsp.highpass(dsp.white(rng, n), 2500, rate)
    ) * on + 0.03 * dsp.white(rng, n)


@kind(
    "jackhammer",
    "a jackhammer, a pneumatic drill, a jackhammer breaking concrete, road works with a "
    "jackhammer, a construction site jackhammer, a pneumatic hammer",
)
def jackhammer(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hits = dsp.firings(rng, rng.uniform(14, 26), n, rate, 0.15)
    length = int(0.05 * rate)
    burst = np.convolve(np.abs(hits), np.exp(-np.arange(length) / (0.25 * length)))[:n] * dsp.white(
        rng, n
    )
    ring = dsp.body(hits, rate, [(170, 4, 1), (900, 8, 0.8), (2100, 12, 0.8), (3700, 12, 0.4)])
    on = dsp.lowpass((dsp.wander(rng, n, rate, 0.8, 0, 1) > 0.22) * 1.0, 10, rate, 1)
    return (dsp.unit(ring) + 0.7 * dsp.unit(dsp.highpass(burst, 400, rate))) * (0.03 + on)


@kind(
    "circular saw",
    "a circular saw, a table saw, a power saw cutting wood, an electric saw, a buzz saw, a "
    "carpenter's circular saw, an angle grinder",
)
def circular_saw(rng: np.random.Generator, n: int, rate: int) -> Signal:
    speed = switched(rng, n, rate, 0.35)
    cut = dsp.lowpass((dsp.wander(rng, n, rate, 0.9, 0, 1) > 0.45) * 1.0, 5, rate, 1)
    hz = rng.uniform(750, 1200) * (0.1 + 0.9 * speed) * (1 - 0.15 * cut)
    whine = dsp.wavetable(hz, dsp.saw_amplitudes(8, 0.7), n, rate) + 0.5 * dsp.wavetable(
        hz * 1.52, dsp.saw_amplitudes(5), n, rate
    )
    bite = dsp.bandpass(dsp.white(rng, n), 1500, 6500, rate, 1) * (
        1 + 0.5 * dsp.sine(hz / 10, n, rate)
    )
    return (dsp.unit(whine) * (0.5 + 0.4 * cut) + dsp.unit(bite) * cut) * speed


@kind(
    "factory machine",
    "a factory machine, factory machinery, an industrial machine, machines working in a "
    "factory, rhythmic machinery, a mechanical loom, heavy industrial machinery",
)
def factory(rng: np.random.Generator, n: int, rate: int) -> Signal:
    period = rng.uniform(0.45, 1.2)
    start = rng.uniform(0, 0.3)
    times = np.arange(start, n / rate, period)
    thumps = dsp.place(
        n, rate, times, lambda: hit(rng, rate, rng.uniform(85, 95), WOOD, 0.3, 1.0, 1500)
    )
    clanks = dsp.place(
        n, rate, times + 0.37 * period, lambda: hit(rng, rate, 640, METAL, 0.35, 1.0, 4000)
    )
    m = int(0.25 * rate)
    hiss = dsp.place(
        n,
        rate,
        times + 0.6 * period,
        lambda: dsp.highpass(dsp.white(rng, m), 2000, rate) * dsp.decay(m, rate, 0.25, 0.02),
    )
    bed = dsp.lowpass(dsp.coloured(rng, n, -4), 500, rate)
    return dsp.room(
        rng,
        dsp.peak(thumps) + 0.6 * dsp.peak(clanks) + 0.12 * hiss + 0.1 * dsp.unit(bed),
        rate,
        1.0,
        0.25,
    )
