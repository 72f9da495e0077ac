"""Rain, wind, thunder, hail, leaves, fire."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Sound, kind

FORCE = {
    "force": {
        "strong": ("strong", "heavy", "intense", "powerful"),
        "light": ("light", "gentle", "soft"),
    }
}


def drops(rng: np.random.Generator, n: int, rate: int, per_second: float, tone_hz: float) -> Signal:
    """Single rain drops: short ringing clicks of several pitches."""
    out = np.zeros(n)
    for spread in (0.7, 1.0, 1.5, 2.1):
        hits = dsp.sparks(rng, n, rate, per_second / 4, 3.0)
        out += dsp.resonate(hits, tone_hz * spread * rng.uniform(0.9, 1.1), 6.0, rate)
    return dsp.unit(out)


def shower(
    rng: np.random.Generator, n: int, rate: int, density: float, wash: float, low_hz: float
) -> Signal:
    """Falling rain: a wash of noise with `density` audible drops a second on top of it."""
    far = dsp.highpass(dsp.coloured(rng, n, rng.uniform(-4.5, 0.0)), low_hz, rate)
    near = drops(rng, n, rate, density, rng.uniform(1800, 3800))
    swelling = dsp.wander(rng, n, rate, 0.7, 0.8, 1.0)
    return swelling * (wash * dsp.unit(far) + (1.0 - wash) * near)


@kind(
    "rain",
    "rain, rainfall, rain falling, raindrops pattering, steady rain, a rain shower, rain "
    "pattering on the ground, rainy weather",
    texture=True,
)
def rain(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return shower(
        rng, n, rate, rng.uniform(250, 700), rng.uniform(0.45, 0.75), dsp.log_uniform(rng, 80, 600)
    )


@kind(
    "heavy rain",
    "heavy rain, a downpour, pouring rain, torrential rain, a rainstorm, hard rain falling, "
    "rain pouring down, a cloudburst",
    texture=True,
)
def heavy_rain(rng: np.random.Generator, n: int, rate: int) -> Signal:
    roar = dsp.band_noise(rng, n, rate, 150, 900)
    return shower(rng, n, rate, rng.uniform(2000, 4000), 0.85, 200) + rng.uniform(0.2, 0.5) * roar


@kind(
    "drizzle",
    "drizzle, light rain, a gentle drizzle, light rain falling, soft rain, a few raindrops "
    "falling, raindrops falling slowly",
    texture=True,
)
def drizzle(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return shower(rng, n, rate, rng.uniform(15, 70), rng.uniform(0.04, 0.12), 1500)


@kind(
    "rain on a roof",
    "rain on a metal roof, rain drumming on a tin roof, rain on a window, raindrops hitting "
    "metal, rain on a tent, rain beating on a roof",
    texture=True,
)
def rain_on_roof(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hits = dsp.sparks(rng, n, rate, rng.uniform(60, 260), 3.0)
    peaks = [
        (dsp.log_uniform(rng, 350, 3500), rng.uniform(8, 25), rng.uniform(0.3, 1)) for _ in "12345"
    ]
    metal = dsp.unit(dsp.body(hits, rate, peaks))
    return metal + rng.uniform(0.15, 0.35) * dsp.unit(
        dsp.lowpass(dsp.coloured(rng, n, -3), 5000, rate)
    )


@kind(
    "hail",
    "hail, hailstones falling, a hailstorm, hail hitting a roof, hail pelting down, hail "
    "clattering",
    texture=True,
)
def hail(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hits = dsp.sparks(rng, n, rate, rng.uniform(40, 120), 1.5)
    knock = dsp.body(hits, rate, [(900, 3, 1.0), (2300, 4, 1.0), (4200, 3, 0.8)])
    return dsp.unit(knock) + 0.12 * dsp.highpass(dsp.white(rng, n), 2500, rate)


@kind(
    "wind",
    "wind, wind blowing, a breeze, gusts of wind, windy weather, a gust of wind, the wind "
    "blowing outside",
    words=FORCE,
    texture=True,
)
def wind(rng: np.random.Generator, n: int, rate: int) -> Sound:
    strength = rng.uniform(0, 1)
    gusts = dsp.wander(rng, n, rate, 0.5 + strength, 0.15, 1.0)
    x = dsp.sweep_lowpass(dsp.coloured(rng, n, -4), rate, 150 + (250 + 900 * strength) * gusts, 2)
    return x * gusts**1.3, {"force": dsp.grade(strength, 0.3, 0.7, ("light", "", "strong"))}


@kind(
    "howling wind",
    "howling wind, wind howling, a howling gale, wind whistling through a gap, eerie wind, a "
    "moaning wind, wind whistling around a house",
    texture=True,
)
def howling_wind(rng: np.random.Generator, n: int, rate: int) -> Signal:
    gusts = dsp.wander(rng, n, rate, 0.9, 0.2, 1.0)
    base = dsp.log_uniform(rng, 280, 750)
    noise = dsp.white(rng, n)
    tracks = [
        (base * ratio * (0.75 + 0.5 * gusts), 25 * ratio, level)
        for ratio, level in ((1.0, 1.0), (rng.uniform(1.5, 1.8), 0.5), (2.6, 0.2))
    ]
    howl = dsp.unit(dsp.sculpt(noise, dsp.peak_gains(n, rate, tracks)) * gusts**2)
    rumble = dsp.unit(dsp.lowpass(dsp.coloured(rng, n, -4), 350, rate) * gusts)
    return howl + rng.uniform(0.2, 0.5) * rumble


@kind(
    "blizzard",
    "a blizzard, a snowstorm, a storm raging, a violent storm, a hurricane, storm winds roaring",
    texture=True,
)
def blizzard(rng: np.random.Generator, n: int, rate: int) -> Signal:
    gusts = dsp.wander(rng, n, rate, 1.5, 0.3, 1.0)
    roar = dsp.sweep_band(dsp.white(rng, n), rate, 250 + 1400 * gusts, 1.3)
    return dsp.unit(roar * gusts) + 0.5 * dsp.unit(howling_wind(rng, n, rate))


def thunder_clap(rng: np.random.Generator, n: int, rate: int, distance: float) -> Signal:
    """One thunder: a crack when near, then rolls that grow darker."""
    rumble = np.zeros(n)
    noise = dsp.coloured(rng, n, -3.5)
    for _ in range(int(rng.integers(4, 9))):
        start = int(rng.beta(1, 2.5) * 0.6 * n)
        length = n - start
        fade = dsp.decay(length, rate, rng.uniform(1.2, 3.5), rng.uniform(0.02, 0.2))
        dsp.add(rumble, np.roll(noise, start)[:length] * fade, start, rng.uniform(0.4, 1.0))
    cutoff = (250 + 900 * (1 - distance)) * np.exp(-1.2 * np.arange(n) / rate / 2.0) + 110
    out = dsp.unit(dsp.sweep_lowpass(rumble, rate, cutoff, 2))
    if distance < 0.45:
        length = min(n, int(0.5 * rate))
        tears = dsp.white(rng, length) * np.abs(dsp.lowpass(dsp.white(rng, length), 60, rate))
        crack = dsp.unit(tears * dsp.decay(length, rate, 0.6, 0.004))
        dsp.add(out, crack, 0, 2.2 * (1 - 2 * distance))
    return out


@kind(
    "thunder",
    "thunder, a thunderclap, a clap of thunder, thunder rumbling, rolling thunder, a thunder "
    "crack, a lightning strike",
)
def thunder(rng: np.random.Generator, n: int, rate: int) -> Sound:
    distance = rng.uniform(0, 1)
    start = int(rng.uniform(0, 0.25) * n)
    out = np.zeros(n)
    dsp.add(out, thunder_clap(rng, n - start, rate, distance), start)
    return out, {"distance": dsp.grade(distance, 0.3, 0.65, ("near", "", "far"))}


@kind(
    "thunderstorm",
    "a thunderstorm, thunder and rain, a storm with rain and thunder, rain and rolling thunder, "
    "a thunderstorm with heavy rain, stormy weather with thunder",
)
def thunderstorm(rng: np.random.Generator, n: int, rate: int) -> Signal:
    boom, _ = thunder(rng, n, rate)
    return dsp.peak(boom) + rng.uniform(0.05, 0.12) * dsp.unit(heavy_rain(rng, n, rate))


@kind(
    "leaves rustling",
    "leaves rustling, rustling leaves, leaves in the wind, the rustle of leaves, trees swaying "
    "in the wind, foliage rustling",
    texture=True,
)
def leaves(rng: np.random.Generator, n: int, rate: int) -> Signal:
    gusts = dsp.wander(rng, n, rate, 1.2, 0.0, 1.0) ** 2 + 0.05
    flutter = dsp.sparks(rng, n, rate, 1200 * gusts, 3.0)
    return dsp.unit(dsp.bandpass(flutter, 1800, 6500, rate)) + 0.25 * gusts * dsp.band_noise(
        rng, n, rate, 1500, 6000
    )


def crackle(rng: np.random.Generator, n: int, rate: int, per_second: float) -> Signal:
    """Wood cracking in a fire: sharp snaps, a few of them loud."""
    lumpy = per_second * (0.2 + 3 * dsp.wander(rng, n, rate, 4, 0, 1) ** 3)
    out = np.zeros(n)
    for hz in (900, 2100, 4300):
        out += dsp.resonate(
            dsp.sparks(rng, n, rate, lumpy / 3, 6.0), hz * rng.uniform(0.8, 1.2), 2, rate
        )
    return out


@kind(
    "campfire",
    "a campfire, a crackling fire, fire crackling, a campfire crackling, wood crackling in a "
    "fireplace, a cosy fireplace, logs burning",
    texture=True,
)
def campfire(rng: np.random.Generator, n: int, rate: int) -> Signal:
    bed = dsp.lowpass(dsp.coloured(rng, n, -3), 700, rate) * dsp.wander(rng, n, rate, 5, 0.4, 1)
    return dsp.peak(crackle(rng, n, rate, rng.uniform(12, 50))) + rng.uniform(
        0.01, 0.05
    ) * dsp.unit(bed)


@kind(
    "fire",
    "a large fire, a roaring fire, flames roaring, a blaze, a building on fire, a fire burning, "
    "raging flames",
    texture=True,
)
def fire(rng: np.random.Generator, n: int, rate: int) -> Signal:
    flicker = dsp.wander(rng, n, rate, 9, 0.35, 1.0) * dsp.wander(rng, n, rate, 1.5, 0.6, 1.0)
    roar = dsp.unit(
        dsp.sweep_lowpass(dsp.coloured(rng, n, -2), rate, 250 + 900 * flicker, 1) * flicker
    )
    return roar + 2.5 * dsp.peak(crackle(rng, n, rate, rng.uniform(20, 60)))


@kind(
    "match strike",
    "a match being lit, a match strike, striking a match, lighting a match, a match igniting, a "
    "match scratching and flaring up",
)
def match_strike(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        scrape = dsp.band_noise(rng, int(rng.uniform(0.12, 0.25) * rate), rate, 2500, 7000)
        scrape *= dsp.swell(scrape.size, rate, 0.03, 0.03) * rng.uniform(0.4, 0.8)
        length = int(1.2 * rate)
        flare = dsp.coloured(rng, length, -1) * dsp.decay(length, rate, 1.2, 0.05)
        flare *= dsp.wander(rng, length, rate, 25, 0.5, 1)
        return np.concatenate([scrape, dsp.highpass(flare, 500, rate)])

    return dsp.one_shots(rng, n, rate, clip, 1.5, 2)
