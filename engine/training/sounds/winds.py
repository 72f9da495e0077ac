"""Woodwinds, brass and pipes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Sound, kind
from engine.training.sounds.melody import chords, hz_of, tune


def blown(
    rng: np.random.Generator,
    rate: int,
    hz: float,
    length_s: float,
    levels: Sequence[float],
    breath: float,
    attack_s: float,
    vibrato: float = 0.006,
    brighten: float = 0.0,
) -> Signal:
    """A wind instrument's note: harmonics that open with the breath, and the breath itself."""
    n = int(max(length_s, 0.12) * rate)
    curve = dsp.vibrato(rng, hz, n, rate, vibrato, rng.uniform(4.6, 5.8))
    scoop = dsp.curve(n, [(0, 0.985), (min(0.2, 0.06 / length_s), 1.0), (1, 1.0)])
    x = dsp.unit(dsp.wavetable(curve * scoop, np.asarray(levels, float), n, rate, rng.random()))
    level = dsp.swell(n, rate, attack_s, min(0.1, 0.3 * length_s)) * dsp.wander(
        rng, n, rate, 5, 0.88, 1.0
    )
    if brighten:
        x = dsp.sweep_lowpass(x, rate, hz * (1.5 + brighten * level), 1)
    air = dsp.sculpt(
        dsp.white(rng, n),
        dsp.peak_gains(
            n, rate, [(hz, 0.6 * hz, 1.0), (2 * hz, 0.8 * hz, 0.6), (4500.0, 4000, 0.15)]
        ),
    )
    return (x + breath * dsp.unit(air)) * level


@kind(
    "flute",
    "a flute, a flute melody, someone playing the flute, a flutist, a solo flute, flute music, "
    "a wooden flute, a pan flute",
)
def flute(rng: np.random.Generator, n: int, rate: int) -> Sound:
    x, mood = tune(
        rng,
        n,
        rate,
        67,
        79,
        lambda hz, s: blown(rng, rate, hz, s, (1, 0.35, 0.12, 0.05, 0.02), 0.22, 0.06),
        0.2,
        0.8,
    )
    return dsp.room(rng, x, rate, 1.3, 0.2), mood


@kind(
    "recorder",
    "a recorder, a recorder melody, someone playing the recorder, a tin whistle, an irish "
    "whistle, a penny whistle tune",
)
def recorder(rng: np.random.Generator, n: int, rate: int) -> Sound:
    return tune(
        rng,
        n,
        rate,
        74,
        84,
        lambda hz, s: blown(rng, rate, hz, s, (1, 0.1, 0.18, 0.03), 0.08, 0.02, 0.002),
        0.15,
        0.4,
    )


@kind(
    "clarinet",
    "a clarinet, a clarinet melody, someone playing the clarinet, a clarinettist, a solo "
    "clarinet, clarinet music",
)
def clarinet(rng: np.random.Generator, n: int, rate: int) -> Sound:
    levels = (1, 0.04, 0.7, 0.06, 0.45, 0.08, 0.25, 0.08, 0.15, 0.05, 0.08)
    x, mood = tune(
        rng,
        n,
        rate,
        52,
        67,
        lambda hz, s: blown(rng, rate, hz, s, levels, 0.05, 0.04, 0.001),
        0.2,
        0.7,
    )
    return dsp.room(rng, x, rate, 1.0, 0.15), mood


@kind(
    "oboe",
    "an oboe, an oboe melody, someone playing the oboe, a nasal woodwind, an oboist, a snake "
    "charmer's pipe, a solo oboe",
)
def oboe(rng: np.random.Generator, n: int, rate: int) -> Sound:
    def note(hz: float, s: float) -> Signal:
        return dsp.body(
            blown(rng, rate, hz, s, np.ones(30), 0.03, 0.03, 0.006),
            rate,
            [(1100, 2.5, 1), (2900, 3, 0.6)],
            0.1,
        )

    x, mood = tune(rng, n, rate, 62, 74, note, 0.2, 0.7)
    return dsp.room(rng, x, rate, 1.0, 0.15), mood


@kind(
    "saxophone",
    "a saxophone, a saxophone solo, someone playing the saxophone, a jazz saxophone, a sax, a "
    "smooth saxophone melody, a tenor sax",
)
def saxophone(rng: np.random.Generator, n: int, rate: int) -> Sound:
    def note(hz: float, s: float) -> Signal:
        x = blown(rng, rate, hz, s, dsp.saw_amplitudes(30, 0.7), 0.12, 0.04, 0.009, 7)
        return dsp.drive(
            dsp.body(x, rate, [(520, 2, 0.8), (1200, 2, 0.7), (2500, 2, 0.4)], 0.4), 1.3
        )

    x, mood = tune(rng, n, rate, 49, 62, note, 0.18, 0.7)
    return dsp.room(rng, x, rate, 1.0, 0.15), mood


@kind(
    "trumpet",
    "a trumpet, a trumpet fanfare, someone playing the trumpet, a trumpeter, a solo trumpet, a "
    "brass fanfare, a bugle call",
)
def trumpet(rng: np.random.Generator, n: int, rate: int) -> Sound:
    levels = dsp.saw_amplitudes(25, 0.5)
    x, mood = tune(
        rng,
        n,
        rate,
        58,
        72,
        lambda hz, s: blown(rng, rate, hz, s, levels, 0.03, 0.03, 0.005, 6),
        0.14,
        0.5,
    )
    return dsp.room(
        rng, dsp.body(x, rate, [(1200, 1.5, 0.8), (2300, 2, 0.6)], 0.5), rate, 1.2, 0.2
    ), mood


@kind(
    "trombone",
    "a trombone, a tuba, a low brass instrument, someone playing the trombone, a trombone "
    "slide, a tuba playing, deep brass notes",
)
def trombone(rng: np.random.Generator, n: int, rate: int) -> Sound:
    levels = dsp.saw_amplitudes(30, 0.7)
    x, mood = tune(
        rng,
        n,
        rate,
        34,
        46,
        lambda hz, s: blown(rng, rate, hz, s, levels, 0.03, 0.06, 0.003, 6),
        0.25,
        0.8,
    )
    return dsp.room(rng, x, rate, 1.3, 0.2), mood


@kind(
    "french horn",
    "a french horn, a horn section, epic horns, a hunting horn, orchestral brass, a heroic horn "
    "melody, brass chords",
)
def french_horn(rng: np.random.Generator, n: int, rate: int) -> Signal:
    levels = dsp.saw_amplitudes(16, 1.0)
    x, _ = chords(
        rng,
        n,
        rate,
        41,
        53,
        lambda hz, s: blown(rng, rate, hz, s, levels, 0.03, 0.09, 0.003, 5),
        0.0,
        rng.uniform(0.7, 1.6),
    )
    return dsp.room(rng, x, rate, 2.0, 0.3)


@kind(
    "harmonica",
    "a harmonica, a blues harmonica, someone playing the harmonica, a mouth organ, a harmonica "
    "melody, a lonesome harmonica",
)
def harmonica(rng: np.random.Generator, n: int, rate: int) -> Sound:
    def note(hz: float, s: float) -> Signal:
        m = int(s * rate)
        bend = dsp.curve(m, [(0, 0.96), (0.25, 1), (1, 1)])
        x = dsp.wavetable(hz * bend, dsp.pulse_amplitudes(0.3, 24), m, rate) + 0.7 * dsp.wavetable(
            hz * 1.26 * bend, dsp.pulse_amplitudes(0.3, 24), m, rate
        )
        return (
            x * dsp.swell(m, rate, 0.03, 0.06) * (1 + 0.35 * dsp.sine(rng.uniform(5, 7), m, rate))
        )

    x, mood = tune(rng, n, rate, 60, 72, note, 0.2, 0.6)
    return dsp.body(x, rate, [(1100, 2, 0.8), (2600, 2, 0.7)], 0.4), mood


@kind(
    "bagpipes",
    "bagpipes, scottish bagpipes, someone playing the bagpipes, a bagpipe tune with drone, "
    "highland pipes, a bagpiper, a bagpipe",
)
def bagpipes(rng: np.random.Generator, n: int, rate: int) -> Signal:
    root = hz_of(rng.uniform(56, 59))
    drone = sum(
        dsp.wavetable(root * r, np.ones(30) * 0.6, n, rate, rng.random())
        for r in (0.5, 0.5015, 0.25)
    )
    out, t = np.zeros(n), 0.0
    while t < n / rate:
        s = rng.choice((0.16, 0.16, 0.32, 0.48))
        hz = root * 2 ** (rng.choice((0, 2, 4, 5, 7, 9, 10, 12)) / 12)
        m = int(s * rate)
        dsp.add(out, dsp.wavetable(hz, np.ones(30), m, rate), int(t * rate))
        t += s
    return dsp.body(
        dsp.unit(out) + 0.6 * dsp.unit(drone), rate, [(1000, 1.5, 1), (2400, 2, 0.8)], 0.2
    )


@kind(
    "didgeridoo",
    "a didgeridoo, someone playing the didgeridoo, an aboriginal didgeridoo, a droning "
    "didgeridoo, a didgeridoo rhythm, a deep didgeridoo",
    texture=True,
)
def didgeridoo(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = dsp.wavetable(
        rng.uniform(58, 80) * dsp.wander(rng, n, rate, 2, 0.99, 1.01),
        dsp.saw_amplitudes(60, 0.6),
        n,
        rate,
    )
    pulse = dsp.cycles(rng.uniform(1.5, 3.5), n, rate) % 1.0
    mouth = 500 + 900 * np.sin(np.pi * pulse) ** 2 * dsp.wander(rng, n, rate, 1, 0.2, 1)
    x = dsp.sculpt(
        x + 0.1 * dsp.white(rng, n),
        dsp.peak_gains(n, rate, [(150.0, 150, 1.0), (mouth, 180, 0.8), (2.2 * mouth, 300, 0.4)]),
    )
    return x * (0.7 + 0.3 * np.cos(2 * np.pi * pulse))
