"""Electronic instruments and dance music."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Sound, kind
from engine.training.sounds.melody import CHORD, MAJOR, MINOR, PENTATONIC, chords, hz_of, tune

MOOD = {
    **CHORD,
    "brightness": {"bright": ("bright", "shimmering", "airy"), "dark": ("dark", "warm", "mellow")},
}


@kind(
    "theremin",
    "a theremin, an eerie theremin, someone playing the theremin, a ghostly theremin melody, a "
    "wavering theremin, a spooky gliding tone",
)
def theremin(rng: np.random.Generator, n: int, rate: int) -> Signal:
    steps = np.repeat(rng.choice((0, 3, 5, 7, 10, 12, 15), 12), n // 12 + 1)[:n]
    semitones = dsp.lowpass(steps.astype(float) - steps[0], 2.0, rate, 1) + steps[0]
    hz = hz_of(rng.uniform(60, 72)) * 2 ** (semitones / 12)
    x = dsp.wavetable(
        dsp.vibrato(rng, hz, n, rate, 0.018, 6.2), np.array([1, 0.3, 0.1, 0.03]), n, rate
    )
    return dsp.room(rng, x * dsp.wander(rng, n, rate, 1.2, 0.4, 1), rate, 1.5, 0.25)


def detuned(
    rng: np.random.Generator, hz: float, n: int, rate: int, voices: int, spread: float
) -> Signal:
    return sum(
        dsp.saw(hz * (1 + spread * rng.uniform(-1, 1)), n, rate, rng.random())
        for _ in range(voices)
    )


@kind(
    "synth pad",
    "a synth pad, an ambient pad, an ambient synth, lush synth chords, an atmospheric pad, "
    "ethereal synth pads, ambient music, a synthesizer pad",
    words=MOOD,
    texture=True,
)
def pad(rng: np.random.Generator, n: int, rate: int) -> Sound:
    bright = rng.uniform(0, 1)

    def note(hz: float, s: float) -> Signal:
        m = int(s * rate)
        return detuned(rng, hz, m, rate, 3, 0.006) * dsp.swell(m, rate, 0.7, 0.9)

    x, colour = chords(rng, n, rate, 45, 57, note, 0.0, rng.uniform(2.2, 3.2))
    x = dsp.sweep_lowpass(
        x, rate, (350 + 3500 * bright**2) * dsp.wander(rng, n, rate, 0.5, 0.6, 1.5), 2
    )
    return dsp.room(rng, x, rate, 3.0, 0.4), {
        "chord": colour,
        "brightness": dsp.grade(bright, 0.35, 0.7, ("dark", "", "bright")),
    }


@kind(
    "synth lead",
    "a synth lead, a synthesizer melody, an electronic lead melody, a bright synth lead, a "
    "trance lead, a monophonic synth solo, an 80s synth lead",
)
def lead(rng: np.random.Generator, n: int, rate: int) -> Sound:
    voices = int(rng.integers(1, 5))

    def note(hz: float, s: float) -> Signal:
        m = int(s * rate)
        hz_curve = dsp.vibrato(rng, hz, m, rate, 0.006, 5.5)
        x = sum(dsp.saw(hz_curve * (1 + 0.006 * v), m, rate, rng.random()) for v in range(voices))
        return x * dsp.swell(m, rate, 0.004, 0.05)

    x, mood = tune(rng, n, rate, 62, 76, note, 0.12, 0.4)
    return dsp.room(
        rng,
        dsp.sweep_lowpass(x, rate, dsp.wander(rng, n, rate, 0.6, 1800, 6000), 2),
        rate,
        1.0,
        0.15,
    ), mood


@kind(
    "synth bass",
    "a synth bass, an electronic bass line, a synthesizer bass, a bass synth, a fat synth bass, "
    "a deep electronic bass",
    words={
        "style": {
            "wobble": ("wobbling", "dubstep", "=a dubstep wobble bass", "=a wobble bass"),
            "acid": ("acid", "squelchy", "303-style", "=an acid bass line"),
        }
    },
)
def synth_bass(rng: np.random.Generator, n: int, rate: int) -> Sound:
    root = hz_of(int(rng.integers(28, 38)))
    if dsp.chance(rng, 0.5):
        x = detuned(rng, root, n, rate, 3, 0.008)
        speed = np.repeat(rng.choice((2.0, 4.0, 6.0, 8.0, 3.0), 10), n // 10 + 1)[:n] * rng.uniform(
            0.8, 1.1
        )
        wobble = 0.5 - 0.5 * np.cos(2 * np.pi * dsp.cycles(speed, n, rate))
        x = dsp.sweep_lowpass(dsp.drive(x, 1.5), rate, 120 * 2 ** (4.6 * wobble), 3)
        return dsp.drive(dsp.unit(x) + 0.6 * dsp.sine(root, n, rate), 1.2), {"style": "wobble"}
    step, pattern = rng.uniform(0.11, 0.15), rng.choice((0, 0, 12, 3, 7, 10, -5), 16)
    hz = root * 2 * 2 ** (pattern[(np.arange(n) / (step * rate)).astype(int) % 16] / 12)
    p = dsp.cycles(1 / step, n, rate) % 1.0
    cutoff = (180 + 1800 * dsp.wander(rng, n, rate, 0.4, 0.1, 1)) * (0.4 + 1.6 * np.exp(-4 * p))
    x = dsp.saw(hz, n, rate)
    low = dsp.sweep_lowpass(x, rate, cutoff, 4) + dsp.sweep_band(x, rate, cutoff, 0.12) * 2.0
    return dsp.drive(dsp.unit(low) * np.minimum(1, np.minimum(p / 0.03, (1 - p) / 0.1)), 1.5), {
        "style": "acid"
    }


@kind(
    "arpeggio",
    "a synth arpeggio, an arpeggiator, an arpeggiated synthesizer, a pulsing synth sequence, a "
    "sequencer pattern, a retro synthwave arpeggio, an electronic arpeggio",
)
def arpeggio(rng: np.random.Generator, n: int, rate: int) -> Sound:
    step = rng.uniform(0.08, 0.16)
    chord = dsp.pick(rng, ((0, 4, 7, 12), (0, 3, 7, 12), (0, 3, 7, 10, 12), (0, 5, 7, 12)))
    order = (
        [*chord, *chord[-2:0:-1]] if dsp.chance(rng, 0.5) else [*chord, *(c + 12 for c in chord)]
    )
    root, timbre = (
        hz_of(int(rng.integers(45, 60))),
        dsp.pick(rng, (dsp.saw_amplitudes(40), dsp.square_amplitudes(40))),
    )
    out, t60 = np.zeros(n), rng.uniform(0.15, 0.5)
    notes: dict[float, Signal] = {}
    for index, time in enumerate(np.arange(0, n / rate, step)):
        hz = root * 2 ** ((order[index % len(order)] + (0, 5, -4, 0)[(index // 16) % 4]) / 12)
        if hz not in notes:
            m = int(min(t60, 0.4) * rate)
            notes[hz] = (
                dsp.wavetable(hz, timbre, m, rate)
                * dsp.decay(m, rate, t60, 0.003)
                * dsp.swell(m, rate, 0.001, 0.02)
            )
        dsp.add(out, notes[hz], int(time * rate))
    out = dsp.sweep_lowpass(out, rate, dsp.wander(rng, n, rate, 0.5, 900, 6000), 2)
    return (dsp.room(rng, out, rate, 1.2, 0.2)), {
        "speed": dsp.grade(step, 0.1, 0.135, ("fast", "", "slow"))
    }


@kind(
    "drone",
    "a drone, a deep drone, a low synth drone, a sustained droning tone, a dark ambient drone, "
    "a meditative drone, a continuous low drone",
    texture=True,
)
def drone(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(45, 110)
    x = sum(
        dsp.saw(base * r * rng.uniform(0.998, 1.002), n, rate, rng.random())
        for r in (1, 1, 1.5, 2, 3)
    )
    return dsp.room(
        rng,
        dsp.sweep_lowpass(x, rate, dsp.wander(rng, n, rate, 0.4, 180, 1100), 2),
        rate,
        3.0,
        0.35,
    )


@kind(
    "synth pluck",
    "a synth pluck, plucky synth notes, a plucked synthesizer melody, an electronic pluck, "
    "tropical house plucks, short bouncy synth notes",
)
def pluck(rng: np.random.Generator, n: int, rate: int) -> Sound:
    def note(hz: float, s: float) -> Signal:
        m = int(0.45 * rate)
        x = dsp.saw(hz, m, rate) + dsp.saw(hz * 1.005, m, rate)
        fall = np.exp(-np.arange(m) / (0.07 * rate))
        return dsp.sweep_lowpass(x, rate, hz * (1 + 9 * fall), 2) * dsp.decay(m, rate, 0.6, 0.002)

    x, mood = tune(rng, n, rate, 57, 72, note, 0.13, 0.3)
    return dsp.room(rng, x, rate, 1.2, 0.25), mood


@kind(
    "techno",
    "techno music, electronic dance music, a dance track, house music, a club beat with bass, "
    "EDM, a four-on-the-floor dance beat with synths",
)
def techno(rng: np.random.Generator, n: int, rate: int) -> Sound:
    beat_s = 60 / rng.uniform(118, 140)
    out = np.zeros(n)
    m = int(0.3 * rate)
    kick = dsp.sine(50 * (1 + 3 * np.exp(-np.arange(m) / (0.015 * rate))), m, rate) * dsp.decay(
        m, rate, 0.3
    )
    hat = dsp.highpass(dsp.white(rng, m // 4), 5500, rate) * dsp.decay(m // 4, rate, 0.08)
    root = hz_of(int(rng.integers(33, 40)))
    scale = MINOR if dsp.chance(rng, 0.7) else (MAJOR if dsp.chance(rng, 0.5) else PENTATONIC)
    line = rng.integers(0, len(scale), 8)
    for index, time in enumerate(np.arange(0, n / rate, beat_s / 2)):
        at = int(time * rate)
        if index % 2 == 0:
            dsp.add(out, kick, at, 1.2)
        else:
            dsp.add(out, hat, at, 0.35)
        k = int(0.45 * beat_s * rate)
        bass = dsp.lowpass(dsp.saw(root, k, rate), 500, rate) * dsp.swell(k, rate, 0.004, 0.03)
        dsp.add(out, bass, at, 0.5 if index % 2 else 0.15)
        hz = root * 4 * 2 ** (scale[int(line[index % 8])] / 12)
        stab = dsp.lowpass(
            dsp.saw(hz, k, rate) + dsp.saw(hz * 1.007, k, rate), 3000, rate
        ) * dsp.decay(k, rate, 0.25)
        dsp.add(out, stab, at, 0.25)
    return (dsp.drive(out, 1.1)), {"speed": dsp.grade(beat_s, 0.45, 0.49, ("fast", "", "slow"))}
