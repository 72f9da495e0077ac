"""Drums, cymbals and drum loops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.impacts import hit
from engine.training.sounds.kinds import Sound, kind

TEMPO = {
    "speed": {
        "fast": ("fast", "upbeat", "energetic", "up-tempo"),
        "slow": ("slow", "laid-back", "down-tempo"),
    }
}


def kick_clip(rng: np.random.Generator, rate: int, hz: float, t60_s: float, click: float) -> Signal:
    n = int((t60_s + 0.05) * rate)
    sweep = hz * (1 + 2.5 * np.exp(-np.arange(n) / (0.018 * rate)))
    x = dsp.drive(dsp.sine(sweep, n, rate) * dsp.decay(n, rate, t60_s, 0.001), 1.5)
    m = int(0.008 * rate)
    x[:m] += click * dsp.white(rng, m) * np.linspace(1, 0, m)
    return x


def snare_clip(rng: np.random.Generator, rate: int, hz: float, snappy: float) -> Signal:
    n = int(0.35 * rate)
    shell = dsp.modes(rng, n, rate, [hz, hz * 1.6, hz * 2.2], [0.16, 0.12, 0.08], [1, 0.6, 0.3])
    wires = dsp.highpass(dsp.white(rng, n), 1200, rate, 1) * dsp.decay(
        n, rate, 0.12 + 0.2 * snappy, 0.001
    )
    return shell + 0.45 * wires


def hat_clip(rng: np.random.Generator, rate: int, t60_s: float, hz: float) -> Signal:
    """Six detuned squares and noise, only the top of them."""
    n = int((t60_s + 0.03) * rate)
    metal = sum(dsp.square(hz * r, n, rate, rng.random()) for r in (2, 3, 4.16, 5.43, 6.79, 8.21))
    x = dsp.highpass(0.35 * metal + dsp.white(rng, n), 5500, rate, 4)
    return dsp.unit(x) * dsp.decay(n, rate, t60_s, 0.0008)


def cymbal_clip(rng: np.random.Generator, rate: int, t60_s: float) -> Signal:
    n = int(t60_s * rate)
    freqs = np.sort(np.exp(rng.uniform(np.log(380), np.log(7000), 28)))
    ring = dsp.modes(rng, n, rate, freqs, t60_s * rng.uniform(0.4, 1, 28), rng.uniform(0.3, 1, 28))
    wash = dsp.highpass(dsp.white(rng, n), 3000, rate) * dsp.decay(n, rate, 0.7 * t60_s, 0.003)
    return 0.5 * dsp.unit(ring) + dsp.unit(wash)


def tom_clip(rng: np.random.Generator, rate: int, hz: float) -> Signal:
    n = int(0.6 * rate)
    bend = 1 + 0.35 * np.exp(-np.arange(n) / (0.05 * rate))
    x = dsp.sine(hz * bend, n, rate) * dsp.decay(n, rate, 0.5) + 0.4 * dsp.sine(
        hz * 1.59 * bend, n, rate
    ) * dsp.decay(n, rate, 0.3)
    return x + 0.25 * dsp.lowpass(dsp.white(rng, n), 2500, rate) * dsp.decay(n, rate, 0.05)


def repeated(
    rng: np.random.Generator, n: int, rate: int, clip: Callable[[], Signal], length_s: float
) -> Signal:
    """A drum hit alone, several times, or in a steady pulse."""
    if dsp.chance(rng, 0.5):
        return dsp.one_shots(rng, n, rate, clip, length_s, 4)
    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.3, 0.8), 0.0), clip)


@kind(
    "kick drum",
    "a kick drum, a bass drum, a kick, a bass drum hit, an 808 kick, a punchy kick drum, a deep "
    "drum thump",
)
def kick(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz, t60, click = rng.uniform(42, 65), dsp.log_uniform(rng, 0.25, 1.0), rng.uniform(0, 0.2)
    x = repeated(rng, n, rate, lambda: kick_clip(rng, rate, hz, t60, click), t60)
    return x, {"length": dsp.grade(t60, 0.35, 0.7, ("short", "", "long"))}


@kind(
    "snare drum",
    "a snare drum, a snare, a snare hit, a snare drum hit, a snappy snare, a drum hit on a snare",
)
def snare(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz, snappy = rng.uniform(160, 240), rng.random()
    return repeated(rng, n, rate, lambda: snare_clip(rng, rate, hz, snappy), 0.4)


@kind(
    "snare roll",
    "a snare drum roll, a drum roll, a military drum roll, a suspenseful drum roll, a roll on a "
    "snare drum, a marching snare",
)
def snare_roll(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz, gap = rng.uniform(170, 230), rng.uniform(0.045, 0.065)
    clips = [snare_clip(rng, rate, hz, 0.3) * rng.uniform(0.8, 1) for _ in range(6)]
    out = np.zeros(n)
    for time in np.arange(0, n / rate, gap):
        dsp.add(
            out,
            dsp.pick(rng, clips),
            int((time + rng.normal(0, 0.003)) * rate),
            rng.uniform(0.6, 1),
        )
    return out * dsp.curve(n, [(0, rng.uniform(0.1, 1)), (0.9, 1), (1, 1)])


@kind(
    "hi-hat",
    "a hi-hat, a closed hi-hat, hi-hats, a hi-hat pattern, a ticking hi-hat, hi-hat cymbals",
)
def hi_hat(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz, step = rng.uniform(280, 420), dsp.log_uniform(rng, 0.1, 0.35)
    closed, opened = (hat_clip(rng, rate, t60, hz) for t60 in (rng.uniform(0.05, 0.12), 0.5))
    out = np.zeros(n)
    for index, time in enumerate(dsp.beat(rng, n / rate, step, 0.0)):
        is_open = index % 8 == 6 and dsp.chance(rng, 0.4)
        dsp.add(
            out,
            opened if is_open else closed,
            int(time * rate),
            1.0 if index % 2 == 0 else rng.uniform(0.4, 0.8),
        )
    return (out), {"speed": dsp.grade(step, 0.15, 0.25, ("fast", "", "slow"))}


@kind(
    "cymbal",
    "a crash cymbal, a cymbal crash, a cymbal, a cymbal hit, a splash of a cymbal, a drummer's "
    "crash cymbal",
)
def cymbal(rng: np.random.Generator, n: int, rate: int) -> Signal:
    t60 = rng.uniform(1.5, 3.2)
    return dsp.one_shots(rng, n, rate, lambda: cymbal_clip(rng, rate, t60), t60, 2)


@kind(
    "tom",
    "a tom drum, tom-toms, a floor tom, a drum fill on the toms, a tom hit, rolling toms",
)
def tom(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(75, 150)
    clips = [tom_clip(rng, rate, base * r) for r in (1.6, 1.3, 1.0)]
    if dsp.chance(rng, 0.4):
        return repeated(rng, n, rate, lambda: clips[2], 0.6)
    out, step = np.zeros(n), rng.uniform(0.11, 0.22)
    for index, time in enumerate(np.arange(rng.uniform(0, 0.5), n / rate, step)):
        if (index // 12) % 2 == 0:
            dsp.add(out, clips[(index // 4) % 3], int(time * rate), rng.uniform(0.7, 1))
    return out


@kind(
    "timpani",
    "timpani, kettledrums, an orchestral timpani, a kettledrum, timpani drums, an orchestral "
    "kettledrum",
    words={"style": {"roll": ("=a timpani roll", "=a roll on the kettledrums", "rolling")}},
)
def timpani(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz = rng.uniform(65, 130)

    def clip() -> Signal:
        x = dsp.modes(
            rng,
            int(1.8 * rate),
            rate,
            [hz * r for r in (1, 1.5, 1.99, 2.44, 2.9)],
            [1.8, 1.4, 1.0, 0.7, 0.5],
            [1, 0.7, 0.5, 0.3, 0.2],
        )
        dsp.add(x, dsp.lowpass(dsp.white(rng, 400), 900, rate) * np.linspace(0.6, 0, 400), 0)
        return x

    roll = dsp.chance(rng, 0.4)
    times = (
        np.arange(0, n / rate, 0.075)
        if roll
        else dsp.beat(rng, n / rate, rng.uniform(0.6, 1.6), 0.1)
    )
    x = dsp.place(n, rate, times, clip)
    swelling = dsp.curve(n, [(0, 0.2), (0.8, 1), (1, 1)]) if roll else 1.0
    return x * swelling, {"style": "roll" if roll else ""}


@kind(
    "hand drums",
    "bongos, hand drums, conga drums, a person playing bongos, african drums, a djembe, bongo "
    "drumming, tribal drums",
)
def bongos(rng: np.random.Generator, n: int, rate: int) -> Sound:
    low = rng.uniform(130, 210)
    drums = [
        hit(rng, rate, low * r, (1, 1.6, 2.3, 3.1), 0.3 / r, 0.4, 2500) for r in (1.0, 1.4, 2.1)
    ]
    drums.append(hit(rng, rate, low * 3.4, (1, 1.5, 2.2), 0.06, 1.2, 5000))
    step = rng.uniform(0.11, 0.2)
    pattern = rng.choice(5, 16, p=(0.25, 0.2, 0.15, 0.15, 0.25))
    out = np.zeros(n)
    for index, time in enumerate(np.arange(rng.uniform(0, 0.3), n / rate, step)):
        which = int(pattern[index % 16])
        if which < 4:
            dsp.add(out, drums[which], int(time * rate), rng.uniform(0.6, 1))
    return (out), {"speed": dsp.grade(step, 0.135, 0.17, ("fast", "", "slow"))}


STYLES = {
    "rock": ("x...x...x.x.x...", "....x.......x...", "x.x.x.x.x.x.x.x."),
    "house": ("x...x...x...x...", "....x.......x...", "..x...x...x...x."),
    "hip-hop": ("x..x..x...x.....", "....x.......x..x", "x.x.x.x.x.xxx.x."),
    "breakbeat": ("x.x.......xx....", "....x..x.x..x..x", "x.x.x.x.x.x.x.x."),
    "funk": ("x..x..x...x..x..", "....x..x.x..x...", "xxxxxxxxxxxxxxxx"),
}


def drum_loop(rng: np.random.Generator, n: int, rate: int, style: str, per_minute: float) -> Signal:
    kit = (
        1.2 * kick_clip(rng, rate, rng.uniform(45, 60), rng.uniform(0.2, 0.45), 0.1),
        snare_clip(rng, rate, rng.uniform(170, 230), rng.random()),
        0.2 * hat_clip(rng, rate, rng.uniform(0.04, 0.1), 340),
    )
    out, step = np.zeros(n), 15.0 / per_minute
    swing = rng.uniform(0, 0.25) if style in ("hip-hop", "funk") else 0.0
    offset = int(rng.integers(0, 2)) * 8
    for index in range(int(n / rate / step) + 1):
        time = (index + swing * (index % 2)) * step
        for pattern, drum in zip(STYLES[style], kit, strict=True):
            if pattern[(index + offset) % 16] == "x":
                dsp.add(out, drum, int(time * rate), rng.uniform(0.85, 1.0))
    return out


@kind(
    "drum loop",
    "a drum loop, a drum beat, drums, a rhythm on a drum kit, a drummer playing a beat, a beat, "
    "a drum kit playing, a groove on drums",
    words={
        **TEMPO,
        "style": {
            "rock": ("rock", "acoustic rock"),
            "house": ("house", "four-on-the-floor", "techno", "dance"),
            "hip-hop": ("hip-hop", "boom bap", "trap-like"),
            "breakbeat": ("breakbeat", "jungle"),
            "funk": ("funk", "funky"),
        },
    },
)
def loop(rng: np.random.Generator, n: int, rate: int) -> Sound:
    style, per_minute = dsp.pick(rng, tuple(STYLES)), rng.uniform(78, 165)
    x = drum_loop(rng, n, rate, style, per_minute)
    return x, {"style": style, "speed": dsp.grade(per_minute, 95, 140, ("slow", "", "fast"))}
