"""Motors, appliances and electricity."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Curve, Signal
from engine.training.sounds.impacts import WOOD, hit
from engine.training.sounds.kinds import Sound, kind


def electric_motor(
    rng: np.random.Generator, n: int, rate: int, hz: Curve, slope: float = 0.8
) -> Signal:
    """Brushed motor: a whine with the commutator's rasp on it."""
    hz = np.broadcast_to(hz, n) * dsp.wander(rng, n, rate, 15, 0.995, 1.005)
    whine = dsp.wavetable(hz, dsp.saw_amplitudes(30, slope), n, rate)
    return dsp.unit(whine) * (1 + 0.3 * dsp.wavetable(hz / 3, dsp.saw_amplitudes(8), n, rate))


def switched(rng: np.random.Generator, n: int, rate: int, spin_s: float) -> Signal:
    """Speed of an appliance from 0 to 1: on all the time, or switched on, or off."""
    lot = rng.random()
    if lot < 0.5:
        return np.ones(n)
    t = np.arange(n) / rate
    when = rng.uniform(0.1, 0.4) * n / rate
    up = 1 - np.exp(-np.clip(t - when, 0, None) / spin_s)
    if lot < 0.75:
        return up
    return np.exp(-np.clip(t - n / rate * rng.uniform(0.6, 0.8), 0, None) / (1.5 * spin_s))


@kind(
    "vacuum cleaner",
    "a vacuum cleaner, vacuuming, a hoover, someone vacuuming the carpet, a vacuum cleaner "
    "running, a noisy vacuum, a vacuum being used",
    texture=True,
)
def vacuum(rng: np.random.Generator, n: int, rate: int) -> Signal:
    speed = switched(rng, n, rate, 0.5)
    motor = electric_motor(rng, n, rate, rng.uniform(380, 620) * (0.15 + 0.85 * speed), 0.9)
    air = dsp.sweep_band(
        dsp.coloured(rng, n, -1),
        rate,
        rng.uniform(800, 1600) * dsp.wander(rng, n, rate, 1.5, 0.8, 1.25),
        1.6,
    )
    return (0.6 * motor + dsp.unit(air)) * speed**1.5


@kind(
    "fan",
    "a fan, an electric fan, a desk fan running, a ventilator, a fan blowing air, an air "
    "conditioner, a whirring fan, a ceiling fan",
    texture=True,
)
def fan(rng: np.random.Generator, n: int, rate: int) -> Signal:
    blade = rng.uniform(18, 60)
    air = dsp.lowpass(dsp.coloured(rng, n, -3), rng.uniform(900, 2200), rate, 1)
    chop = 1 + rng.uniform(0.15, 0.5) * dsp.sine(blade, n, rate)
    hum = dsp.wavetable(rng.choice((100.0, 120.0)), np.array([1, 0.5, 0.3]), n, rate)
    return dsp.unit(air) * chop + rng.uniform(0.1, 0.35) * hum


@kind(
    "hair dryer",
    "a hair dryer, a hairdryer blowing, someone drying their hair, a blow dryer, a hair dryer "
    "running, a loud blow-dryer",
    texture=True,
)
def hair_dryer(rng: np.random.Generator, n: int, rate: int) -> Signal:
    speed = switched(rng, n, rate, 0.3)
    whine = electric_motor(rng, n, rate, rng.uniform(700, 1100) * (0.2 + 0.8 * speed), 1.3)
    air = dsp.bandpass(dsp.white(rng, n), 600, 6500, rate, 1)
    return (dsp.unit(air) + 0.35 * whine) * speed**1.5


@kind(
    "washing machine",
    "a washing machine, a washing machine running, laundry tumbling in a washing machine, a "
    "washer on its cycle, a washing machine spinning, a tumble dryer",
    texture=True,
)
def washing_machine(rng: np.random.Generator, n: int, rate: int) -> Signal:
    if dsp.chance(rng, 0.4):  # spinning
        hz = dsp.curve(n, [(0, rng.uniform(60, 120)), (1, rng.uniform(140, 230))])
        return electric_motor(rng, n, rate, hz, 1.0) + 0.7 * dsp.unit(
            dsp.lowpass(dsp.coloured(rng, n, -3), 900, rate)
        ) * (1 + 0.4 * dsp.sine(hz / 8, n, rate))
    p = dsp.cycles(rng.uniform(0.8, 1.2), n, rate, rng.random()) % 1.0
    slosh = dsp.sweep_band(
        dsp.coloured(rng, n, -2), rate, 350 + 900 * np.sin(np.pi * p), 0.9
    ) * np.sin(np.pi * p)
    thumps = dsp.place(
        n,
        rate,
        dsp.beat(rng, n / rate, 1.0, 0.06),
        lambda: hit(rng, rate, 70, WOOD, 0.25, 0.4, 600),
    )
    hum = dsp.wavetable(100.0, np.array([1, 0.6, 0.4, 0.2]), n, rate)
    return dsp.unit(slosh) + 0.9 * dsp.peak(thumps) + 0.3 * hum


@kind(
    "refrigerator hum",
    "a refrigerator humming, a fridge, the hum of a refrigerator, a humming fridge, a freezer "
    "humming, a compressor humming quietly",
    texture=True,
)
def fridge(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hum = dsp.wavetable(
        rng.choice((50.0, 60.0)), np.array([0.5, 1, 0.3, 0.5, 0.1, 0.25, 0, 0.1]), n, rate
    )
    rattle = dsp.lowpass(dsp.coloured(rng, n, -4), 600, rate)
    return hum * dsp.wander(rng, n, rate, 1, 0.85, 1) + rng.uniform(0.15, 0.4) * dsp.unit(rattle)


@kind(
    "electrical hum",
    "an electrical hum, mains hum, the hum of a transformer, a buzzing transformer, a ground "
    "loop hum, a buzzing neon light, a fluorescent light buzzing",
    texture=True,
)
def hum(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.choice((50.0, 60.0)) * rng.choice((1, 2))
    levels = rng.uniform(0.1, 1, 40) / np.arange(1, 41) ** rng.uniform(0.3, 1.2)
    return dsp.wavetable(base, levels, n, rate) * dsp.wander(
        rng, n, rate, 1, 0.9, 1
    ) + 0.01 * dsp.white(rng, n)


@kind(
    "electric spark",
    "electric sparks, electricity crackling, an electric arc, a spark, an electrical short "
    "circuit, a tesla coil zapping, high voltage sparks, an electric shock",
)
def spark(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def zap() -> Signal:
        m = int(rng.uniform(0.08, 0.6) * rate)
        arcs = dsp.firings(
            rng,
            rng.choice((100.0, 120.0)) * dsp.wander(rng, m, rate, 20, 0.7, 2.2),
            m,
            rate,
            0.7,
            1,
        )
        crackle = dsp.sparks(rng, m, rate, 1500, 2)
        return dsp.unit(dsp.highpass(arcs + crackle, 900, rate, 1)) * dsp.swell(
            m, rate, 0.003, 0.05
        )

    return dsp.place(n, rate, dsp.scattered(rng, n / rate, rng.uniform(0.8, 2.5), 2), zap)


@kind(
    "sewing machine",
    "a sewing machine, someone sewing with a machine, a sewing machine stitching, a tailor's "
    "sewing machine, a clattering sewing machine, machine stitching",
)
def sewing_machine(rng: np.random.Generator, n: int, rate: int) -> Signal:
    running = dsp.lowpass((dsp.wander(rng, n, rate, 0.9, 0, 1) > 0.25) * 1.0, 4, rate, 1)
    hz = 2 + rng.uniform(9, 17) * running
    stitches = dsp.firings(rng, hz, n, rate, 0.12, 2) * (running > 0.15)
    clack = dsp.body(
        stitches, rate, [(350, 3, 0.8), (1100, 5, 1.0), (2600, 6, 0.7), (4500, 6, 0.4)]
    )
    motor = electric_motor(rng, n, rate, 14 * hz, 1.0)
    return dsp.unit(clack) + 0.25 * motor * running


@kind(
    "electric razor",
    "an electric razor, an electric shaver, someone shaving, a hair clipper, a buzzing shaver, "
    "a beard trimmer",
)
def razor(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.choice((100.0, 120.0)) * dsp.wander(rng, n, rate, 2, 0.97, 1.03)
    buzz = dsp.body(
        dsp.wavetable(hz, dsp.saw_amplitudes(60, 0.4), n, rate),
        rate,
        [(900, 2, 1), (2800, 2, 1)],
        0.3,
    )
    hair = dsp.bandpass(
        dsp.sparks(rng, n, rate, 500 * dsp.wander(rng, n, rate, 2, 0, 1) ** 2, 3), 2000, 6500, rate
    )
    return dsp.unit(buzz) + 0.5 * dsp.unit(hair)


@kind(
    "steam hiss",
    "steam hissing, air escaping, a burst of steam, a pneumatic hiss, a gas leak, air brakes "
    "hissing, compressed air released, a tyre losing air",
)
def steam(rng: np.random.Generator, n: int, rate: int) -> Signal:
    length = rng.uniform(0.4, 2.2)

    def clip() -> Signal:
        m = int(length * rate)
        x = dsp.sweep_band(
            dsp.white(rng, m), rate, dsp.curve(m, [(0, 5000), (1, rng.uniform(1800, 4500))]), 0.9
        )
        return dsp.unit(x) * dsp.curve(m, [(0, 0), (0.03, 1), (0.6, 0.7), (1, 0)])

    return dsp.one_shots(rng, n, rate, clip, length, 3)


@kind(
    "wind-up toy",
    "a wind-up toy, a clockwork toy, winding up a toy, a ratchet, a clockwork mechanism, gears "
    "clicking",
)
def clockwork(rng: np.random.Generator, n: int, rate: int) -> Signal:
    speed = dsp.curve(n, [(0, rng.uniform(22, 40)), (1, rng.uniform(7, 25))])
    clicks = dsp.firings(rng, speed, n, rate, 0.2, 4)
    return dsp.body(
        clicks, rate, [(1500, 6, 0.7), (3100, 8, 1), (5200, 8, 0.7)]
    ) + 0.01 * dsp.white(rng, n)


@kind(
    "elevator",
    "an elevator arriving, an elevator ding, a lift arriving with a ding, elevator doors "
    "opening, an elevator bell and sliding doors, a lift",
)
def elevator(rng: np.random.Generator, n: int, rate: int) -> Sound:
    ding_at = int(rng.uniform(0.1, 0.35) * n)
    hz = rng.uniform(900, 1300)
    motor = dsp.lowpass(
        dsp.wavetable(rng.uniform(55, 80), dsp.saw_amplitudes(12), n, rate), 500, rate
    )
    motor *= dsp.curve(
        n, [(0, 1), (ding_at / n * 0.8, 0.8), (min(1, ding_at / n + 0.02), 0), (1, 0)]
    )
    out = 0.25 * motor
    dsp.add(
        out,
        dsp.modes(
            rng, int(1.6 * rate), rate, [hz, 2 * hz, 3.02 * hz], [1.6, 0.9, 0.4], [1, 0.3, 0.15]
        ),
        ding_at,
    )
    m = int(1.5 * rate)
    doors = dsp.lowpass(dsp.coloured(rng, m, -2), 1800, rate) * dsp.swell(m, rate, 0.3, 0.3)
    dsp.add(out, 0.2 * dsp.unit(doors), ding_at + int(0.6 * rate))
    dsp.add(out, hit(rng, rate, 120, WOOD, 0.2, 1.0, 1500), ding_at + int(2.1 * rate), 0.4)
    return dsp.room(rng, out, rate, 0.7, 0.15), {}
