"""Plucked and bowed strings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Sound, kind
from engine.training.sounds.melody import CHORD, PENTATONIC, chords, hz_of, tune


def plucked(
    rng: np.random.Generator, rate: int, hz: float, length_s: float, brightness: float, t60_s: float
) -> Signal:
    m = int(max(length_s, 0.3) * rate)
    return dsp.string(rng, m, rate, hz, t60_s, brightness, rng.uniform(0.12, 0.28)) * dsp.swell(
        m, rate, 0.001, 0.06
    )


def guitar_body(x: Signal, rate: int) -> Signal:
    return dsp.body(x, rate, [(105, 4, 0.5), (205, 5, 0.5), (400, 4, 0.3)], 1.0)


@kind(
    "guitar",
    "an acoustic guitar, a guitar being plucked, a plucked guitar melody, fingerpicked guitar, "
    "a guitar, someone playing acoustic guitar, a classical guitar, a nylon-string guitar",
)
def guitar(rng: np.random.Generator, n: int, rate: int) -> Sound:
    brightness = rng.uniform(0.35, 0.7)
    x, mood = tune(
        rng,
        n,
        rate,
        45,
        62,
        lambda hz, s: plucked(rng, rate, hz, 2.2 * s, brightness, 3.0),
        0.16,
        0.5,
    )
    return guitar_body(x, rate), mood


@kind(
    "guitar strum",
    "a strummed acoustic guitar, guitar chords being strummed, an acoustic guitar strumming, "
    "someone strumming a guitar, a guitar strum, campfire guitar chords",
    words=CHORD,
)
def strum(rng: np.random.Generator, n: int, rate: int) -> Sound:
    colour = dsp.pick(rng, ("major", "minor"))
    root, step = int(rng.integers(40, 48)), rng.uniform(0.22, 0.5)
    brightness = rng.uniform(0.65, 0.9)
    intervals = (0, 7, 12, 16, 19, 24) if colour == "major" else (0, 7, 12, 15, 19, 24)
    shapes = []
    for shift in (0, 5):
        strings = [
            plucked(rng, rate, hz_of(root + shift + i), 1.6, brightness, 3.0) for i in intervals
        ]
        for order in (strings, strings[::-1]):
            clip = np.zeros(int(1.8 * rate))
            for index, x in enumerate(order):
                dsp.add(clip, x, int(index * 0.012 * rate), rng.uniform(0.7, 1))
            shapes.append(clip * dsp.swell(clip.size, rate, 0.001, 0.3))
    out = np.zeros(n)
    for index, time in enumerate(np.arange(rng.uniform(0, 0.2), n / rate, step)):
        if index % 4 != 1 or dsp.chance(rng, 0.4):
            fade = min(1.0, step * 2.2)
            clip = shapes[2 * ((index // 8) % 2) + index % 2][: int((fade + 0.3) * rate)]
            dsp.add(out, clip, int(time * rate), rng.uniform(0.7, 1) if index % 2 == 0 else 0.5)
    speed = dsp.grade(step, 0.3, 0.42, ("fast", "", "slow"))
    return guitar_body(out, rate), {"chord": colour, "speed": speed}


@kind(
    "electric guitar",
    "a distorted electric guitar, an electric guitar riff, heavy metal guitar, a rock guitar, "
    "power chords on an electric guitar, a crunchy guitar riff, an overdriven electric guitar",
)
def electric_guitar(rng: np.random.Generator, n: int, rate: int) -> Signal:
    root, step = int(rng.integers(38, 46)), rng.uniform(0.12, 0.3)
    riff = rng.choice((0, 0, 3, 5, 7, 10, -2), 8)
    held = rng.choice((1, 1, 2, 4), 8)
    clean, t, index = np.zeros(n), 0.0, 0
    while t < n / rate:
        length = step * held[index % 8]
        for interval in (0, 7, 12):
            clip = plucked(
                rng, rate, hz_of(root + riff[index % 8] + interval), length * 0.98, 0.8, 6.0
            )
            dsp.add(clean, clip, int(t * rate))
        t, index = t + length, index + 1
    dirty = dsp.drive(dsp.highpass(clean, 120, rate), rng.uniform(5, 14))
    return dsp.resonate(dsp.lowpass(dirty, 3800, rate, 4), 2200, 0.7, rate) + 0.6 * dsp.lowpass(
        dirty, 3500, rate
    )


@kind(
    "bass guitar",
    "a bass guitar, an electric bass line, a bass line, a funky bass guitar, someone playing "
    "bass guitar, a deep bass guitar, a fingered bass",
)
def bass_guitar(rng: np.random.Generator, n: int, rate: int) -> Sound:
    brightness = rng.uniform(0.3, 0.65)
    x, mood = tune(
        rng, n, rate, 28, 38, lambda hz, s: plucked(rng, rate, hz, s, brightness, 3.5), 0.15, 0.45
    )
    return dsp.drive(dsp.lowpass(dsp.peak(x), 1800, rate, 1), 1.5), mood


@kind(
    "banjo",
    "a banjo, a banjo being picked, bluegrass banjo, someone playing the banjo, a banjo roll, a "
    "twangy banjo",
)
def banjo(rng: np.random.Generator, n: int, rate: int) -> Sound:
    x, mood = tune(
        rng, n, rate, 55, 67, lambda hz, s: plucked(rng, rate, hz, 0.5, 0.95, 0.8), 0.1, 0.17
    )
    return dsp.body(
        dsp.highpass(x, 250, rate), rate, [(600, 3, 0.7), (1100, 3, 0.6), (2400, 3, 0.4)], 0.7
    ), mood


@kind(
    "ukulele",
    "a ukulele, a ukulele being strummed, a cheerful ukulele, someone playing ukulele, a "
    "hawaiian ukulele, ukulele music",
)
def ukulele(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x, _ = chords(
        rng,
        n,
        rate,
        60,
        66,
        lambda hz, s: plucked(rng, rate, hz, 0.7, 0.5, 0.9),
        0.015,
        rng.uniform(0.28, 0.5),
    )
    return dsp.body(x, rate, [(400, 4, 0.5), (750, 4, 0.4)], 1.0)


@kind(
    "harp",
    "a harp, a harp glissando, a harp arpeggio, someone playing the harp, an angelic harp, harp "
    "music, a celtic harp",
)
def harp(rng: np.random.Generator, n: int, rate: int) -> Signal | Sound:
    if dsp.chance(rng, 0.4):
        return tune(
            rng, n, rate, 50, 68, lambda hz, s: plucked(rng, rate, hz, 2.5 * s, 0.45, 3.5), 0.2, 0.5
        )
    out, t, root = np.zeros(n), rng.uniform(0, 0.3), int(rng.integers(45, 56))
    strings_: dict[int, Signal] = {}
    while t < n / rate - 0.3:
        run = [o * 12 + d for o in range(3) for d in PENTATONIC[:5]]
        run, gap = run if dsp.chance(rng, 0.6) else run[::-1], rng.uniform(0.04, 0.1)
        for index, interval in enumerate(run):
            if interval not in strings_:
                strings_[interval] = plucked(rng, rate, hz_of(root + interval), 1.4, 0.5, 3.0)
            dsp.add(out, strings_[interval], int((t + index * gap) * rate), rng.uniform(0.5, 0.9))
        t += len(run) * gap + rng.uniform(0.4, 1.2)
    return dsp.room(rng, out, rate, 1.4, 0.25)


@kind(
    "sitar",
    "a sitar, an indian sitar, a sitar melody, someone playing the sitar, a raga on the sitar, "
    "a buzzing sitar",
)
def sitar(rng: np.random.Generator, n: int, rate: int) -> Sound:
    x, mood = tune(
        rng, n, rate, 49, 60, lambda hz, s: plucked(rng, rate, hz, 1.8 * s, 0.97, 3.0), 0.18, 0.6
    )
    buzz = dsp.highpass(np.abs(x), 1500, rate, 1)
    drone = plucked(rng, rate, hz_of(int(rng.integers(37, 45))), n / rate, 0.9, 6.0)[:n]
    return dsp.unit(x) + 0.5 * dsp.unit(buzz) + 0.3 * dsp.unit(
        np.pad(drone, (0, n - drone.size))
    ), mood


def bowed(
    rng: np.random.Generator,
    rate: int,
    hz: float,
    length_s: float,
    peaks: Sequence[tuple[float, float, float]],
) -> Signal:
    """A bowed string: a sawtooth with vibrato and bow noise through a wooden body."""
    m = int(max(length_s, 0.15) * rate)
    curve = dsp.vibrato(rng, hz, m, rate, rng.uniform(0.003, 0.007), rng.uniform(5, 6.3))
    x = dsp.wavetable(curve, dsp.saw_amplitudes(50, 1.0), m, rate, rng.random())
    x = dsp.unit(x) + 0.05 * dsp.highpass(dsp.white(rng, m), 1500, rate)
    x *= dsp.wander(rng, m, rate, 6, 0.8, 1.0)
    return dsp.unit(dsp.body(x, rate, peaks, 0.25)) * dsp.swell(
        m, rate, min(0.09, 0.3 * length_s), min(0.12, 0.3 * length_s)
    )


VIOLIN = ((290, 8, 0.6), (470, 7, 0.9), (700, 4, 0.5), (1050, 3, 0.6), (2600, 1.8, 0.9))


CELLO = ((105, 8, 0.7), (180, 6, 0.9), (260, 5, 0.7), (480, 3, 0.6), (1500, 1.5, 0.4))


@kind(
    "violin",
    "a violin, a violin melody, someone playing the violin, a violinist, a solo violin, a "
    "fiddle, violin music",
)
def violin(rng: np.random.Generator, n: int, rate: int) -> Sound:
    x, mood = tune(
        rng, n, rate, 62, 76, lambda hz, s: bowed(rng, rate, hz, s * 1.05, VIOLIN), 0.25, 1.2
    )
    return dsp.room(rng, x, rate, 1.3, 0.2), mood


@kind(
    "cello",
    "a cello, a cello melody, someone playing the cello, a cellist, a solo cello, a deep cello "
    "line, cello music",
)
def cello(rng: np.random.Generator, n: int, rate: int) -> Sound:
    x, mood = tune(
        rng, n, rate, 38, 50, lambda hz, s: bowed(rng, rate, hz, s * 1.05, CELLO), 0.4, 1.5
    )
    return dsp.room(rng, x, rate, 1.5, 0.2), mood


@kind(
    "string section",
    "a string orchestra, orchestral strings, a string section, lush strings, a string ensemble, "
    "cinematic strings, violins and cellos playing together",
)
def strings(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def note(hz: float, s: float) -> Signal:
        m = int(s * rate)
        x = sum(
            dsp.saw(
                dsp.vibrato(rng, hz * rng.uniform(0.996, 1.004), m, rate, 0.004, 5.5),
                m,
                rate,
                rng.random(),
            )
            for _ in range(2)
        )
        return dsp.lowpass(x, 3500, rate, 1) * dsp.swell(m, rate, 0.25, 0.4)

    x, _ = chords(rng, n, rate, 48, 62, note, 0.0, rng.uniform(1.5, 2.5))
    return dsp.room(rng, x, rate, 1.8, 0.3)


@kind(
    "pizzicato",
    "pizzicato strings, plucked violin strings, a pizzicato violin, pizzicato, strings played "
    "pizzicato, a playful pizzicato melody",
)
def pizzicato(rng: np.random.Generator, n: int, rate: int) -> Sound:
    x, mood = tune(
        rng, n, rate, 55, 72, lambda hz, s: plucked(rng, rate, hz, 0.4, 0.3, 0.45), 0.14, 0.35
    )
    return dsp.room(rng, dsp.body(x, rate, VIOLIN, 0.5), rate, 0.9, 0.2), mood
