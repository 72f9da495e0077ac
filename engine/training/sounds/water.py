"""Sea, streams, drops, bubbles, pouring, splashes."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Sound, kind


def bubble(rng: np.random.Generator, rate: int, hz: float, rise: float, t60_s: float) -> Signal:
    """One bubble: a dying tone whose pitch rises as the bubble nears the surface."""
    n = max(32, int(t60_s * rate))
    return dsp.sine(hz * (1 + rise * np.arange(n) / n), n, rate) * dsp.decay(n, rate, t60_s, 0.003)


def bubbling(
    rng: np.random.Generator, n: int, rate: int, per_second: float, low_hz: float, high_hz: float
) -> Signal:
    """Many bubbles of random sizes; drawn from a small set of clips for speed."""
    clips = []
    for _ in range(24):
        hz = dsp.log_uniform(rng, low_hz, high_hz)
        clips.append(bubble(rng, rate, hz, rng.uniform(0, 0.6), rng.uniform(12, 30) / hz + 0.02))
    out = np.zeros(n)
    for time in dsp.scattered(rng, n / rate, per_second):
        dsp.add(out, dsp.pick(rng, clips), int(time * rate), rng.random() ** 2)
    return out


@kind(
    "sea waves",
    "sea waves, ocean waves, waves crashing on a beach, the sea, surf, waves rolling onto the "
    "shore, the ocean, waves breaking",
    texture=True,
)
def sea_waves(rng: np.random.Generator, n: int, rate: int) -> Signal:
    t = np.arange(n) / rate
    period = rng.uniform(3.0, 6.0)
    out = np.zeros(n)
    for voice in range(2):
        p = (t / (period * (1 + 0.35 * voice)) + rng.random()) % 1.0
        level = np.where(p < 0.35, (p / 0.35) ** 2, np.exp(-4.0 * (p - 0.35))) + 0.04
        cutoff = 300 + 5000 * level**1.3
        out += dsp.sweep_lowpass(dsp.coloured(rng, n, -1.5), rate, cutoff, 1) * level / (1 + voice)
    return out


@kind(
    "stream",
    "a stream, a babbling brook, a creek flowing, running water, a small river, water flowing "
    "over stones, a brook, trickling water",
    texture=True,
)
def stream(rng: np.random.Generator, n: int, rate: int) -> Signal:
    gurgle = dsp.unit(bubbling(rng, n, rate, rng.uniform(60, 160), 350, 2500))
    wash = dsp.band_noise(rng, n, rate, 500, 5000) * dsp.wander(rng, n, rate, 6, 0.6, 1.0)
    return gurgle + rng.uniform(0.15, 0.9) * wash


@kind(
    "waterfall",
    "a waterfall, water rushing down, a roaring waterfall, a cascade of water, river rapids, "
    "white water, rushing water",
    texture=True,
)
def waterfall(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = dsp.lowpass(dsp.coloured(rng, n, rng.uniform(-3, -1.5)), rng.uniform(3000, 6500), rate, 1)
    return dsp.unit(x) + 0.4 * dsp.unit(bubbling(rng, n, rate, 150, 200, 900))


def drip(rng: np.random.Generator, rate: int, hz: float) -> Signal:
    """A drop falling into water: a click, then a bubble of rising pitch."""
    out = np.zeros(int(0.35 * rate))
    dsp.add(out, dsp.white(rng, 40) * np.linspace(0.25, 0, 40), 0)
    start = int(rng.uniform(0.01, 0.03) * rate)
    dsp.add(out, bubble(rng, rate, hz, rng.uniform(0.2, 0.8), rng.uniform(0.05, 0.16)), start)
    return out


@kind(
    "dripping water",
    "dripping water, water dripping, a dripping tap, a leaky faucet, drops of water falling, "
    "water drops, the drip of a tap",
)
def dripping(rng: np.random.Generator, n: int, rate: int) -> Sound:
    period = dsp.log_uniform(rng, 0.22, 1.5)
    hz = dsp.log_uniform(rng, 700, 2200)
    times = dsp.beat(rng, n / rate, period, rng.uniform(0.0, 0.2))
    x = dsp.place(n, rate, times, lambda: drip(rng, rate, hz * rng.uniform(0.93, 1.07)))
    if dsp.chance(rng, 0.4):
        x = dsp.room(rng, x, rate, rng.uniform(0.8, 2.0), 0.3)
    return x, {"speed": dsp.grade(period, 0.4, 0.9, ("fast", "", "slow"))}


@kind(
    "bubbles",
    "bubbles, bubbling water, bubbles rising, air bubbles under water, gurgling bubbles, "
    "blowing bubbles through a straw, a fish tank bubbling",
)
def bubbles(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return bubbling(rng, n, rate, rng.uniform(10, 28), 250, rng.uniform(900, 1600))


@kind(
    "boiling water",
    "boiling water, a pot of water boiling, water boiling in a kettle, water coming to the "
    "boil, a bubbling pot, a rolling boil",
    texture=True,
)
def boiling(rng: np.random.Generator, n: int, rate: int) -> Signal:
    rumble = dsp.lowpass(dsp.coloured(rng, n, -3), 700, rate)
    return dsp.unit(bubbling(rng, n, rate, rng.uniform(90, 150), 120, 700)) + 0.5 * dsp.unit(
        rumble * dsp.wander(rng, n, rate, 18, 0.3, 1)
    )


@kind(
    "pouring water",
    "pouring water, water being poured into a glass, pouring a drink, filling a glass with "
    "water, liquid pouring, water poured from a bottle, filling a cup",
)
def pouring(rng: np.random.Generator, n: int, rate: int) -> Signal:
    start, stop = int(rng.uniform(0, 0.12) * n), int(rng.uniform(0.75, 1.0) * n)
    length = stop - start
    rise = np.linspace(0.0, 1.0, length) ** 1.6
    low, high = rng.uniform(350, 600), rng.uniform(1400, 2400)
    source = dsp.unit(bubbling(rng, length, rate, 110, 500, 2500)) + 0.4 * dsp.white(rng, length)
    centre = low * (high / low) ** rise
    tracks = [(centre, 130, 1.0), (3.0 * centre, 350, 0.35), (3500.0, 4000, 0.08)]
    out = np.zeros(n)
    pour = dsp.sculpt(source, dsp.peak_gains(length, rate, tracks))
    dsp.add(out, pour * dsp.swell(length, rate, 0.08, 0.12), start)
    return out


@kind(
    "shower",
    "a shower, someone taking a shower, a shower running, water spraying, a bathroom shower, "
    "water running from a shower head",
    texture=True,
)
def shower(rng: np.random.Generator, n: int, rate: int) -> Signal:
    spray = dsp.bandpass(dsp.white(rng, n), 1200, 7000, rate, 1)
    patter = dsp.body(
        dsp.sparks(rng, n, rate, 500, 3), rate, [(420, 4, 1), (800, 4, 1), (1500, 5, 0.7)]
    )
    return dsp.room(rng, dsp.unit(spray) + 0.8 * dsp.unit(patter), rate, 0.4, 0.3)


@kind(
    "running tap",
    "a tap running, a running faucet, water running into a sink, a kitchen tap, washing hands "
    "at a sink, a faucet turned on",
    texture=True,
)
def tap(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hiss = dsp.unit(dsp.bandpass(dsp.white(rng, n), 600, 4500, rate, 1))
    basin = [(rng.uniform(250, 500), 9, 1.0), (rng.uniform(600, 1100), 10, 0.8), (1900, 8, 0.5)]
    drum = dsp.unit(dsp.body(dsp.white(rng, n) * dsp.wander(rng, n, rate, 30, 0, 1), rate, basin))
    return hiss * 0.5 + drum + 0.3 * dsp.unit(bubbling(rng, n, rate, 60, 500, 1500))


def splash_clip(rng: np.random.Generator, rate: int, size: float) -> Signal:
    """Something of size 0 to 1 falling into water."""
    n = int((0.7 + 0.9 * size) * rate)
    slap = dsp.coloured(rng, n, -3 * size) * dsp.decay(n, rate, 0.35 + 0.5 * size, 0.004)
    spray = dsp.highpass(
        dsp.sparks(rng, n, rate, 1500 * dsp.decay(n, rate, 1.2, 0.1), 2), 1500, rate
    )
    blub = bubbling(rng, n, rate, 50, 150 + 300 * (1 - size), 1200) * dsp.decay(n, rate, 1.4, 0.1)
    return dsp.unit(slap) + 0.5 * dsp.unit(spray) + 0.7 * dsp.unit(blub)


@kind(
    "splash",
    "a splash, a water splash, splashing water, something falling into water, a person jumping "
    "into a pool, a stone thrown into water, a splash of water",
)
def splash(rng: np.random.Generator, n: int, rate: int) -> Sound:
    size = rng.uniform(0, 1)
    x = dsp.one_shots(rng, n, rate, lambda: splash_clip(rng, rate, size), 1.4, 3)
    return x, {"size": dsp.grade(size, 0.3, 0.7, ("small", "", "big"))}


@kind(
    "toilet flush",
    "a toilet flushing, a toilet flush, flushing the toilet, a flushed toilet, the flush of a "
    "toilet, a lavatory being flushed",
)
def toilet_flush(rng: np.random.Generator, n: int, rate: int) -> Signal:
    level = dsp.curve(n, [(0, 0), (0.05, 0), (0.09, 1), (0.5, 0.8), (0.7, 0.25), (1, 0.12)])
    rush = dsp.sweep_lowpass(dsp.coloured(rng, n, -2), rate, 400 + 3500 * level, 1) * level
    gurgle = bubbling(rng, n, rate, 40, 150, 500) * dsp.curve(
        n, [(0, 0), (0.3, 0.1), (0.6, 1), (1, 0.2)]
    )
    return dsp.unit(rush) + 0.6 * dsp.unit(gurgle)


@kind(
    "rowing",
    "rowing a boat, oars in the water, paddling a canoe, water sloshing rhythmically, a paddle "
    "dipping into water, a rowing boat",
)
def rowing(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(0.9 * rate)
        slosh = dsp.sweep_band(
            dsp.white(rng, m), rate, dsp.curve(m, [(0, 500), (0.5, 1400), (1, 600)]), 0.9
        )
        drops_ = bubbling(rng, m, rate, 40, 400, 1500)
        return dsp.unit(slosh) * dsp.swell(m, rate, 0.3, 0.5) + 0.5 * dsp.unit(drops_)

    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(1.3, 2.0), 0.06), clip)
