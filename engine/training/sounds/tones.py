"""Plain test signals and noises of electronics."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Sound, kind


@kind(
    "white noise",
    "white noise, hissing white noise, a steady hiss, plain white noise, bright noise, a hiss "
    "of noise",
    texture=True,
)
def white_noise(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return dsp.white(rng, n)


@kind(
    "pink noise",
    "pink noise, a soft noise, steady pink noise, balanced noise, a gentle steady noise, smooth "
    "pink noise",
    texture=True,
)
def pink_noise(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return dsp.coloured(rng, n, -3.01)


@kind(
    "brown noise",
    "brown noise, a low rumbling noise, deep brown noise, a dark steady noise, red noise, a "
    "deep low roar",
    texture=True,
)
def brown_noise(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return dsp.highpass(dsp.coloured(rng, n, -6.02), 25, rate, 1)


@kind(
    "static",
    "static, radio static, TV static, an untuned radio, a detuned television, static "
    "interference, crackling static, radio interference",
    texture=True,
)
def static(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hiss = dsp.bandpass(dsp.white(rng, n), 300, 5500, rate, 1) * dsp.wander(rng, n, rate, 6, 0.5, 1)
    crackle = dsp.highpass(
        dsp.sparks(rng, n, rate, 400 * dsp.wander(rng, n, rate, 5, 0, 1) ** 2, 3), 500, rate
    )
    return hiss + 4 * crackle


@kind(
    "tuning a radio",
    "tuning a radio, an old radio being tuned, searching for a radio station, shortwave radio, "
    "a radio changing stations, whistling shortwave radio signals",
)
def tuning(rng: np.random.Generator, n: int, rate: int) -> Signal:
    drift = dsp.wander(rng, n, rate, 0.9, -1, 1)
    whistle = dsp.sine(np.abs(2800 * drift) + 60, n, rate) * (np.abs(drift) < 0.7)
    from_station = dsp.wavetable(
        rng.uniform(200, 400) * dsp.wander(rng, n, rate, 4, 0.8, 1.3),
        dsp.saw_amplitudes(12),
        n,
        rate,
    )
    station = dsp.bandpass(from_station, 400, 2600, rate) * np.clip(
        1 - 4 * np.abs(drift - 0.3), 0, 1
    )
    return (
        0.35 * dsp.unit(static(rng, n, rate))
        + 0.5 * dsp.lowpass(whistle, 4000, rate)
        + 1.5 * station
    )


@kind(
    "vinyl crackle",
    "vinyl crackle, the crackle of an old record, a needle on a vinyl record, surface noise of "
    "a record, a dusty record spinning, record player crackle",
    texture=True,
)
def vinyl(rng: np.random.Generator, n: int, rate: int) -> Signal:
    pops = dsp.body(
        dsp.sparks(rng, n, rate, rng.uniform(12, 40), 5), rate, [(1200, 1, 1), (3500, 1, 1)]
    )
    ticks = dsp.highpass(dsp.sparks(rng, n, rate, 150, 5), 2000, rate)
    hiss = dsp.coloured(rng, n, -3)
    return dsp.peak(pops) + 0.4 * dsp.peak(ticks) + 0.015 * hiss


@kind(
    "sine tone",
    "a sine tone, a pure tone, a test tone, a steady beep, a sine wave, a constant tone, a "
    "continuous pure beep",
    texture=True,
)
def sine_tone(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz = dsp.log_uniform(rng, 90, 5000)
    return dsp.sine(hz, n, rate), {"pitch": dsp.grade(hz, 280, 1600, ("low", "", "high"))}


@kind(
    "censor beep",
    "a censor beep, a censoring bleep, a bleep over a swear word, a television censor bleep, a "
    "one kilohertz bleep, a bleep",
)
def bleep(rng: np.random.Generator, n: int, rate: int) -> Signal:
    length = rng.uniform(0.3, 1.0)

    def clip() -> Signal:
        m = int(length * rate)
        return dsp.sine(1000.0, m, rate) * dsp.swell(m, rate, 0.003, 0.003)

    return dsp.one_shots(rng, n, rate, clip, length, 3)


@kind(
    "square tone",
    "a square wave tone, a buzzing electronic tone, a steady synthesizer tone, a square wave, a "
    "hollow electronic tone, a harsh steady tone",
    texture=True,
)
def square_tone(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz = dsp.log_uniform(rng, 60, 1500)
    return dsp.square(hz, n, rate), {"pitch": dsp.grade(hz, 140, 600, ("low", "", "high"))}


@kind(
    "sweep",
    "a frequency sweep, a tone sweep, a rising and falling test tone, a sine sweep, a gliding "
    "tone, a swept sine wave",
    words={
        "direction": {
            "up": ("rising", "upward", "...going up"),
            "down": ("falling", "downward", "...going down"),
        }
    },
)
def sweep(rng: np.random.Generator, n: int, rate: int) -> Sound:
    low, high = dsp.log_uniform(rng, 40, 300), dsp.log_uniform(rng, 1500, 7500)
    up = dsp.chance(rng, 0.5)
    hz = np.geomspace(low, high, n) if up else np.geomspace(high, low, n)
    return dsp.sine(hz, n, rate) * dsp.swell(n, rate, 0.02, 0.05), {
        "direction": "up" if up else "down"
    }


@kind(
    "morse code",
    "morse code, a telegraph, a morse code signal, dots and dashes, morse code beeping, an SOS "
    "in morse code, a radio operator sending morse code",
)
def morse(rng: np.random.Generator, n: int, rate: int) -> Signal:
    unit, on = rng.uniform(0.05, 0.11), np.zeros(n)
    t = rng.uniform(0, 0.2)
    while t < n / rate:
        for _ in range(int(rng.integers(1, 5))):
            length = unit * (3 if dsp.chance(rng, 0.45) else 1)
            on[int(t * rate) : int((t + length) * rate)] = 1
            t += length + unit
        t += 2 * unit if dsp.chance(rng, 0.8) else 6 * unit
    return dsp.sine(rng.uniform(500, 1000), n, rate) * dsp.lowpass(
        on, 80, rate, 1
    ) + 0.01 * dsp.white(rng, n)


@kind(
    "geiger counter",
    "a geiger counter, a geiger counter clicking, a radiation detector, radiation clicks, a "
    "ticking geiger counter, a dosimeter crackling",
)
def geiger(rng: np.random.Generator, n: int, rate: int) -> Sound:
    per_second = dsp.log_uniform(rng, 4, 90)
    clicks = dsp.sparks(rng, n, rate, per_second, 0.2)
    return dsp.body(clicks, rate, [(1800, 2, 1), (3600, 2, 0.6)]), {
        "speed": dsp.grade(per_second, 12, 40, ("slow", "", "fast"))
    }


@kind(
    "sonar ping",
    "a sonar ping, a submarine sonar, sonar pings under water, a submarine ping, an echoing "
    "sonar, a naval sonar pulse",
)
def sonar(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(900, 1800)

    def ping() -> Signal:
        m = int(1.6 * rate)
        return dsp.sine(hz * dsp.curve(m, [(0, 1), (1, 0.99)]), m, rate) * dsp.decay(
            m, rate, 1.3, 0.01
        )

    x = dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(1.4, 2.6), 0.0), ping)
    return dsp.unit(dsp.room(rng, x, rate, 3.0, 0.5)) + 0.08 * dsp.unit(
        dsp.lowpass(dsp.coloured(rng, n, -5), 300, rate)
    )


@kind(
    "microphone feedback",
    "microphone feedback, audio feedback, a squealing microphone, a howling PA system, a "
    "feedback squeal, guitar amp feedback",
)
def feedback(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = dsp.log_uniform(rng, 700, 3200)
    level = np.clip(dsp.wander(rng, n, rate, 0.9, -0.2, 1.2), 0.02, 1)
    x = dsp.drive(level * dsp.sine(hz * dsp.wander(rng, n, rate, 1, 0.99, 1.01), n, rate), 2.5)
    x += 0.3 * level**2 * dsp.sine(hz * 1.51, n, rate)
    return x + 0.02 * dsp.coloured(rng, n, -3)


@kind(
    "room tone",
    "a quiet room, near silence with a faint hum, room tone, a silent room with a slight hum, "
    "quiet ambience, almost nothing but a faint hum, an empty room",
    texture=True,
)
def room_tone(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hum = dsp.wavetable(rng.choice((50.0, 60.0)), np.array([1, 0.5, 0.2]), n, rate)
    return 0.3 * hum + dsp.lowpass(dsp.coloured(rng, n, -5), rng.uniform(300, 900), rate, 1)
