"""Pianos, organs and other keyboards."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Attributes, Sound, kind
from engine.training.sounds.melody import CHORD, chords, tune


def piano_note(
    rng: np.random.Generator, rate: int, hz: float, length_s: float, soft: float = 0.0
) -> Signal:
    """Stiff strings in pairs; higher partials are weaker and die sooner."""
    n = int(max(length_s * 1.5, 0.5) * rate)
    count = max(2, min(int(14 - 8 * soft), int(0.45 * rate / hz)))
    k = np.arange(1, count + 1)
    freqs = hz * k * np.sqrt(1 + 0.0004 * k * k)
    t60 = (7.0 * (220 / hz) ** 0.5) / (1 + (0.25 + 0.2 * soft) * k)
    levels = np.abs(np.sin(np.pi * k / 8.0)) / k ** (0.7 + 1.2 * soft) + 0.02
    x = dsp.modes(rng, n, rate, freqs, t60, levels)
    x += dsp.modes(rng, n, rate, freqs[:3] * 1.0007, t60[:3], 0.6 * levels[:3])
    thump = min(n, int(0.04 * rate))
    x[:thump] += (
        (0.15 + 0.2 * soft)
        * dsp.lowpass(dsp.white(rng, thump), 900, rate)
        * np.linspace(1, 0, thump)
    )
    return x * dsp.swell(n, rate, 0.003 + 0.015 * soft, 0.15)


@kind(
    "piano",
    "a piano, a piano melody, someone playing the piano, piano notes, a grand piano, piano "
    "music, a pianist playing, a single piano line",
)
def piano(rng: np.random.Generator, n: int, rate: int) -> Sound:
    x, mood = tune(rng, n, rate, 50, 72, lambda hz, s: piano_note(rng, rate, hz, s), 0.18, 0.7, 1.5)
    return dsp.room(rng, x, rate, 1.0, 0.15), mood


@kind(
    "piano chord",
    "a piano chord, piano chords, chords on a piano, a chord played on the piano, someone "
    "playing piano chords, a grand piano playing chords",
    words=CHORD,
)
def piano_chord(rng: np.random.Generator, n: int, rate: int) -> Sound:
    x, colour = chords(
        rng, n, rate, 48, 62, lambda hz, s: piano_note(rng, rate, hz, s), rng.uniform(0, 0.02)
    )
    return dsp.room(rng, x, rate, 1.0, 0.15), {"chord": colour}


@kind(
    "felt piano",
    "a felt piano, a soft piano, an intimate muted piano, a warm felt piano melody, a gentle "
    "piano, a mellow muffled piano",
)
def felt_piano(rng: np.random.Generator, n: int, rate: int) -> Sound:
    x, mood = tune(
        rng, n, rate, 48, 66, lambda hz, s: piano_note(rng, rate, hz, s, 1.0), 0.35, 0.9, 1.6
    )
    action = 0.015 * dsp.lowpass(dsp.coloured(rng, n, -3), 1500, rate)
    return dsp.room(rng, dsp.lowpass(dsp.peak(x), 1800, rate, 1) + action, rate, 1.6, 0.25), mood


@kind(
    "electric piano",
    "an electric piano, a rhodes piano, electric piano chords, a mellow electric piano, a jazzy "
    "electric piano, a fender rhodes",
)
def electric_piano(rng: np.random.Generator, n: int, rate: int) -> Sound:
    def note(hz: float, s: float) -> Signal:
        m = int(max(s, 0.6) * rate)
        index = rng.uniform(0.8, 1.6) * dsp.decay(m, rate, 1.2, 0.001)
        tine = (
            0.15 * dsp.sine(hz * 14, m, rate) * dsp.decay(m, rate, 0.25)
            if hz * 14 < 0.45 * rate
            else 0
        )
        tone = np.sin(2 * np.pi * dsp.cycles(hz, m, rate) + index * dsp.sine(hz, m, rate))
        return (tone + tine) * dsp.decay(m, rate, 3.5, 0.003) * dsp.swell(m, rate, 0.002, 0.1)

    mood: Attributes = {}
    if dsp.chance(rng, 0.6):
        x, _ = chords(rng, n, rate, 50, 62, note)
    else:
        x, mood = tune(rng, n, rate, 52, 70, note, overlap=1.5)
    return x * (1 + 0.25 * dsp.sine(rng.uniform(3, 6), n, rate)), mood


@kind(
    "harpsichord",
    "a harpsichord, a harpsichord melody, baroque harpsichord music, someone playing the "
    "harpsichord, a harpsichord piece, harpsichord notes",
)
def harpsichord(rng: np.random.Generator, n: int, rate: int) -> Sound:
    def note(hz: float, s: float) -> Signal:
        m = int(max(s, 0.4) * rate)
        x = dsp.string(rng, m, rate, hz, 2.2, 0.95, 0.1) + 0.7 * dsp.string(
            rng, m, rate, hz * 2, 1.6, 0.95, 0.1
        )
        return dsp.highpass(x, 250, rate, 1) * dsp.swell(m, rate, 0.001, 0.08)

    return tune(rng, n, rate, 52, 70, note, 0.12, 0.3, 1.3)


ORGAN_STOPS = (
    (1, 0.8, 0.3, 0.6, 0, 0.2, 0, 0.4),
    (1, 1, 0.7, 0.9, 0.2, 0.5, 0.1, 0.6),
    (0.6, 1, 0.1, 0.9, 0, 0.1, 0, 0.7),
)


@kind(
    "church organ",
    "a church organ, a pipe organ, organ music in a church, someone playing the pipe organ, a "
    "cathedral organ, majestic organ chords",
)
def organ(rng: np.random.Generator, n: int, rate: int) -> Signal:
    stops = np.array(dsp.pick(rng, ORGAN_STOPS))

    def note(hz: float, s: float) -> Signal:
        m = int(s * rate)
        return (
            dsp.wavetable(hz, stops, m, rate, rng.random())
            + 0.4 * dsp.wavetable(hz * 2.003, stops, m, rate)
        ) * dsp.swell(m, rate, 0.05, 0.1)

    x, _ = chords(rng, n, rate, 48, 60, note, 0.0, rng.uniform(0.6, 1.4))
    return dsp.room(rng, x, rate, 3.0, 0.4)


@kind(
    "electric organ",
    "an electric organ, a hammond organ, a jazz organ, a rotary organ, someone playing a "
    "hammond organ, a gospel organ, a rock organ",
)
def hammond(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def note(hz: float, s: float) -> Signal:
        m = int(s * rate)
        x = dsp.wavetable(
            hz / 2, np.array([0.8, 1, 0.9, 0.7, 0, 0.3, 0, 0.5]), m, rate, rng.random()
        )
        return x * dsp.swell(m, rate, 0.004, 0.02)

    x = tune(rng, n, rate, 55, 70, note, 0.15, 0.5)[0]
    x = x + chords(rng, n, rate, 52, 58, note, may_stop=False)[0]
    spin = dsp.sine(rng.choice((0.9, 6.6)), n, rate)
    return dsp.drive(x * (1 + 0.3 * spin) / 4, 1.5)


def reeds(rng: np.random.Generator, rate: int, hz: float, length_s: float, detune: float) -> Signal:
    n = int(length_s * rate)
    x = sum(
        dsp.wavetable(hz * d, dsp.pulse_amplitudes(0.2, 30), n, rate, rng.random())
        for d in (1 - detune, 1, 1 + detune)
    )
    return x * dsp.swell(n, rate, 0.04, 0.06)


@kind(
    "accordion",
    "an accordion, an accordion melody, someone playing the accordion, french accordion music, "
    "a concertina, a musette waltz on the accordion",
)
def accordion(rng: np.random.Generator, n: int, rate: int) -> Sound:
    x, mood = tune(rng, n, rate, 62, 76, lambda hz, s: reeds(rng, rate, hz, s, 0.006), 0.15, 0.5)
    bass, _ = chords(
        rng,
        n,
        rate,
        45,
        53,
        lambda hz, s: reeds(rng, rate, hz, s * 0.4, 0.004),
        0.0,
        rng.uniform(0.35, 0.6),
        False,
    )
    return dsp.lowpass(dsp.unit(x) + 0.5 * dsp.unit(bass), 4500, rate, 1) * dsp.wander(
        rng, n, rate, 1, 0.7, 1
    ), mood
