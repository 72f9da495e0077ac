"""Keys, strings, winds and voices of music, played as notes, chords and small tunes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Attributes, kind
from engine.training.sounds.speech import glottis, voiced, vowel_tracks

MAJOR, MINOR, PENTATONIC = (0, 2, 4, 5, 7, 9, 11, 12), (0, 2, 3, 5, 7, 8, 10, 12), (0, 2, 4, 7, 9, 12)
TRIADS = {"major": (0, 4, 7, 12), "minor": (0, 3, 7, 12), "seventh": (0, 4, 7, 10), "suspended": (0, 5, 7, 12)}
CHORD = {"chord": {"major": ("major", "happy"), "minor": ("minor", "sad", "melancholic"), "seventh": ("seventh", "jazzy")}}
Note = Callable[[float, float], Signal]  # (hz, length_s) -> samples


def hz_of(midi: float) -> float:
    return 440.0 * 2.0 ** ((midi - 69.0) / 12.0)


def tune(rng: np.random.Generator, n: int, rate: int, low_midi: int, high_midi: int, note: Note, shortest_s: float = 0.18, longest_s: float = 0.8, overlap: float = 1.0) -> Signal:
    """A little melody that walks up and down a scale."""
    root, scale = int(rng.integers(low_midi, high_midi + 1)), dsp.pick(rng, (MAJOR, MINOR, PENTATONIC))
    step, degree, t = rng.uniform(shortest_s, longest_s), int(rng.integers(len(scale))), rng.uniform(0, 0.2)
    out = np.zeros(n)
    while t < n / rate - 0.05:
        length = step * dsp.pick(rng, (1, 1, 1, 2, 0.5)) if step > 0.2 else step * dsp.pick(rng, (1, 1, 2))
        if dsp.chance(rng, 0.92):
            dsp.add(out, note(hz_of(root + scale[degree]), length * overlap), int(t * rate), rng.uniform(0.75, 1))
        degree = int(np.clip(degree + rng.integers(-2, 3), 0, len(scale) - 1))
        t += length
    return out


def chords(rng: np.random.Generator, n: int, rate: int, low_midi: int, high_midi: int, note: Note, spread_s: float = 0.0, every_s: float = 1.2) -> tuple[Signal, str]:
    """One chord, or a few of one colour, and the name of that colour."""
    colour = dsp.pick(rng, tuple(TRIADS))
    root, t, out = int(rng.integers(low_midi, high_midi + 1)), rng.uniform(0, 0.4), np.zeros(n)
    while t < n / rate - 0.2:
        for index, interval in enumerate(TRIADS[colour]):
            dsp.add(out, note(hz_of(root + interval), every_s * 1.6), int((t + index * spread_s) * rate), rng.uniform(0.7, 1))
        if dsp.chance(rng, 0.2):
            break
        root += int(dsp.pick(rng, (-5, -3, 2, 5, -2)))
        root = int(np.clip(root, low_midi - 5, high_midi + 5))
        t += every_s * dsp.pick(rng, (1, 1, 2))
    return out, colour


def piano_note(rng: np.random.Generator, rate: int, hz: float, length_s: float, soft: float = 0.0) -> Signal:
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
    x[:thump] += (0.15 + 0.2 * soft) * dsp.lowpass(dsp.white(rng, thump), 900, rate) * np.linspace(1, 0, thump)
    return x * dsp.swell(n, rate, 0.003 + 0.015 * soft, 0.15)


@kind(
    "piano", "a piano", "a piano melody", "someone playing the piano", "piano notes", "a grand piano", "piano music",
    "a pianist playing", "a single piano line",
)
def piano(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = tune(rng, n, rate, 50, 72, lambda hz, s: piano_note(rng, rate, hz, s), 0.18, 0.7, 1.5)
    return dsp.room(rng, x, rate, 1.0, 0.15)


@kind(
    "piano chord", "a piano chord", "piano chords", "chords on a piano", "a chord played on the piano",
    "someone playing piano chords", "a grand piano playing chords", words=CHORD,
)
def piano_chord(rng: np.random.Generator, n: int, rate: int) -> tuple[Signal, Attributes]:
    x, colour = chords(rng, n, rate, 48, 62, lambda hz, s: piano_note(rng, rate, hz, s), rng.uniform(0, 0.02))
    return dsp.room(rng, x, rate, 1.0, 0.15), {"chord": colour}


@kind(
    "felt piano", "a felt piano", "a soft piano", "an intimate muted piano", "a warm felt piano melody", "a gentle piano",
    "a mellow, muffled piano",
)
def felt_piano(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = tune(rng, n, rate, 48, 66, lambda hz, s: piano_note(rng, rate, hz, s, 1.0), 0.35, 0.9, 1.6)
    action = 0.015 * dsp.lowpass(dsp.coloured(rng, n, -3), 1500, rate)
    return dsp.room(rng, dsp.lowpass(dsp.peak(x), 1800, rate, 1) + action, rate, 1.6, 0.25)


@kind(
    "electric piano", "an electric piano", "a rhodes piano", "electric piano chords", "a mellow electric piano",
    "a jazzy electric piano", "a fender rhodes",
)
def electric_piano(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def note(hz: float, s: float) -> Signal:
        m = int(max(s, 0.6) * rate)
        index = rng.uniform(0.8, 1.6) * dsp.decay(m, rate, 1.2, 0.001)
        tine = 0.15 * dsp.sine(hz * 14, m, rate) * dsp.decay(m, rate, 0.25) if hz * 14 < 0.45 * rate else 0
        tone = np.sin(2 * np.pi * dsp.cycles(hz, m, rate) + index * dsp.sine(hz, m, rate))
        return (tone + tine) * dsp.decay(m, rate, 3.5, 0.003) * dsp.swell(m, rate, 0.002, 0.1)

    x = chords(rng, n, rate, 50, 62, note)[0] if dsp.chance(rng, 0.6) else tune(rng, n, rate, 52, 70, note, overlap=1.5)
    return x * (1 + 0.25 * dsp.sine(rng.uniform(3, 6), n, rate))


@kind(
    "harpsichord", "a harpsichord", "a harpsichord melody", "baroque harpsichord music", "someone playing the harpsichord",
    "a harpsichord piece", "harpsichord notes",
)
def harpsichord(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def note(hz: float, s: float) -> Signal:
        m = int(max(s, 0.4) * rate)
        x = dsp.string(rng, m, rate, hz, 2.2, 0.95, 0.1) + 0.7 * dsp.string(rng, m, rate, hz * 2, 1.6, 0.95, 0.1)
        return dsp.highpass(x, 250, rate, 1) * dsp.swell(m, rate, 0.001, 0.08)

    return tune(rng, n, rate, 52, 70, note, 0.12, 0.3, 1.3)


def plucked(rng: np.random.Generator, rate: int, hz: float, length_s: float, brightness: float, t60_s: float) -> Signal:
    m = int(max(length_s, 0.3) * rate)
    return dsp.string(rng, m, rate, hz, t60_s, brightness, rng.uniform(0.12, 0.28)) * dsp.swell(m, rate, 0.001, 0.06)


def guitar_body(x: Signal, rate: int) -> Signal:
    return dsp.body(x, rate, [(105, 4, 0.5), (205, 5, 0.5), (400, 4, 0.3)], 1.0)


@kind(
    "guitar", "an acoustic guitar", "a guitar being plucked", "a plucked guitar melody", "fingerpicked guitar", "a guitar",
    "someone playing acoustic guitar", "a classical guitar", "a nylon-string guitar",
)
def guitar(rng: np.random.Generator, n: int, rate: int) -> Signal:
    brightness = rng.uniform(0.35, 0.7)
    x = tune(rng, n, rate, 45, 62, lambda hz, s: plucked(rng, rate, hz, 2.2 * s, brightness, 3.0), 0.16, 0.5)
    return guitar_body(x, rate)


@kind(
    "guitar strum", "a strummed acoustic guitar", "guitar chords being strummed", "an acoustic guitar strumming",
    "someone strumming a guitar", "a guitar strum", "campfire guitar chords", words=CHORD,
)
def strum(rng: np.random.Generator, n: int, rate: int) -> tuple[Signal, Attributes]:
    colour = dsp.pick(rng, ("major", "minor"))
    root, step = int(rng.integers(40, 48)), rng.uniform(0.22, 0.5)
    brightness = rng.uniform(0.65, 0.9)
    intervals = (0, 7, 12, 16, 19, 24) if colour == "major" else (0, 7, 12, 15, 19, 24)
    shapes = []
    for shift in (0, 5):
        strings = [plucked(rng, rate, hz_of(root + shift + i), 1.6, brightness, 3.0) for i in intervals]
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
    return guitar_body(out, rate), {"chord": colour}


@kind(
    "electric guitar", "a distorted electric guitar", "an electric guitar riff", "heavy metal guitar", "a rock guitar",
    "power chords on an electric guitar", "a crunchy guitar riff", "an overdriven electric guitar",
)
def electric_guitar(rng: np.random.Generator, n: int, rate: int) -> Signal:
    root, step = int(rng.integers(38, 46)), rng.uniform(0.12, 0.3)
    riff = rng.choice((0, 0, 3, 5, 7, 10, -2), 8)
    held = rng.choice((1, 1, 2, 4), 8)
    clean, t, index = np.zeros(n), 0.0, 0
    while t < n / rate:
        length = step * held[index % 8]
        for interval in (0, 7, 12):
            clip = plucked(rng, rate, hz_of(root + riff[index % 8] + interval), length * 0.98, 0.8, 6.0)
            dsp.add(clean, clip, int(t * rate))
        t, index = t + length, index + 1
    dirty = dsp.drive(dsp.highpass(clean, 120, rate), rng.uniform(5, 14))
    return dsp.resonate(dsp.lowpass(dirty, 3800, rate, 4), 2200, 0.7, rate) + 0.6 * dsp.lowpass(dirty, 3500, rate)


@kind(
    "bass guitar", "a bass guitar", "an electric bass line", "a bass line", "a funky bass guitar", "someone playing bass guitar",
    "a deep bass guitar", "a fingered bass",
)
def bass_guitar(rng: np.random.Generator, n: int, rate: int) -> Signal:
    brightness = rng.uniform(0.3, 0.65)
    x = tune(rng, n, rate, 28, 38, lambda hz, s: plucked(rng, rate, hz, s, brightness, 3.5), 0.15, 0.45)
    return dsp.drive(dsp.lowpass(dsp.peak(x), 1800, rate, 1), 1.5)


@kind(
    "banjo", "a banjo", "a banjo being picked", "bluegrass banjo", "someone playing the banjo", "a banjo roll", "a twangy banjo",
)
def banjo(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = tune(rng, n, rate, 55, 67, lambda hz, s: plucked(rng, rate, hz, 0.5, 0.95, 0.8), 0.1, 0.17)
    return dsp.body(dsp.highpass(x, 250, rate), rate, [(600, 3, 0.7), (1100, 3, 0.6), (2400, 3, 0.4)], 0.7)


@kind(
    "ukulele", "a ukulele", "a ukulele being strummed", "a cheerful ukulele", "someone playing ukulele", "a hawaiian ukulele",
    "ukulele music",
)
def ukulele(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x, _ = chords(rng, n, rate, 60, 66, lambda hz, s: plucked(rng, rate, hz, 0.7, 0.5, 0.9), 0.015, rng.uniform(0.28, 0.5))
    return dsp.body(x, rate, [(400, 4, 0.5), (750, 4, 0.4)], 1.0)


@kind(
    "harp", "a harp", "a harp glissando", "a harp arpeggio", "someone playing the harp", "an angelic harp", "harp music",
    "a celtic harp",
)
def harp(rng: np.random.Generator, n: int, rate: int) -> Signal:
    if dsp.chance(rng, 0.4):
        return tune(rng, n, rate, 50, 68, lambda hz, s: plucked(rng, rate, hz, 2.5 * s, 0.45, 3.5), 0.2, 0.5)
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
    "sitar", "a sitar", "an indian sitar", "a sitar melody", "someone playing the sitar", "a raga on the sitar", "a buzzing sitar",
)
def sitar(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = tune(rng, n, rate, 49, 60, lambda hz, s: plucked(rng, rate, hz, 1.8 * s, 0.97, 3.0), 0.18, 0.6)
    buzz = dsp.highpass(np.abs(x), 1500, rate, 1)
    drone = plucked(rng, rate, hz_of(int(rng.integers(37, 45))), n / rate, 0.9, 6.0)[:n]
    return dsp.unit(x) + 0.5 * dsp.unit(buzz) + 0.3 * dsp.unit(np.pad(drone, (0, n - drone.size)))


def bowed(rng: np.random.Generator, rate: int, hz: float, length_s: float, peaks: Sequence[tuple[float, float, float]]) -> Signal:
    """A bowed string: a sawtooth with vibrato and bow noise through a wooden body."""
    m = int(max(length_s, 0.15) * rate)
    curve = dsp.vibrato(rng, hz, m, rate, rng.uniform(0.003, 0.007), rng.uniform(5, 6.3))
    x = dsp.wavetable(curve, dsp.saw_amplitudes(50, 1.0), m, rate, rng.random())
    x = dsp.unit(x) + 0.05 * dsp.highpass(dsp.white(rng, m), 1500, rate)
    x *= dsp.wander(rng, m, rate, 6, 0.8, 1.0)
    return dsp.unit(dsp.body(x, rate, peaks, 0.25)) * dsp.swell(m, rate, min(0.09, 0.3 * length_s), min(0.12, 0.3 * length_s))


VIOLIN = ((290, 8, 0.6), (470, 7, 0.9), (700, 4, 0.5), (1050, 3, 0.6), (2600, 1.8, 0.9))
CELLO = ((105, 8, 0.7), (180, 6, 0.9), (260, 5, 0.7), (480, 3, 0.6), (1500, 1.5, 0.4))


@kind(
    "violin", "a violin", "a violin melody", "someone playing the violin", "a violinist", "a solo violin", "a fiddle", "violin music",
)
def violin(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = tune(rng, n, rate, 62, 76, lambda hz, s: bowed(rng, rate, hz, s * 1.05, VIOLIN), 0.25, 1.2)
    return dsp.room(rng, x, rate, 1.3, 0.2)


@kind(
    "cello", "a cello", "a cello melody", "someone playing the cello", "a cellist", "a solo cello", "a deep cello line", "cello music",
)
def cello(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = tune(rng, n, rate, 38, 50, lambda hz, s: bowed(rng, rate, hz, s * 1.05, CELLO), 0.4, 1.5)
    return dsp.room(rng, x, rate, 1.5, 0.2)


@kind(
    "string section", "a string orchestra", "orchestral strings", "a string section", "lush strings", "a string ensemble",
    "cinematic strings", "violins and cellos playing together",
)
def strings(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def note(hz: float, s: float) -> Signal:
        m = int(s * rate)
        x = sum(dsp.saw(dsp.vibrato(rng, hz * rng.uniform(0.996, 1.004), m, rate, 0.004, 5.5), m, rate, rng.random()) for _ in range(2))
        return dsp.lowpass(x, 3500, rate, 1) * dsp.swell(m, rate, 0.25, 0.4)

    x, _ = chords(rng, n, rate, 48, 62, note, 0.0, rng.uniform(1.5, 2.5))
    return dsp.room(rng, x, rate, 1.8, 0.3)


@kind(
    "pizzicato", "pizzicato strings", "plucked violin strings", "a pizzicato violin", "pizzicato", "strings played pizzicato",
    "a playful pizzicato melody",
)
def pizzicato(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = tune(rng, n, rate, 55, 72, lambda hz, s: plucked(rng, rate, hz, 0.4, 0.3, 0.45), 0.14, 0.35)
    return dsp.room(rng, dsp.body(x, rate, VIOLIN, 0.5), rate, 0.9, 0.2)


def choir_chord(rng: np.random.Generator, n: int, rate: int, pitches_hz: Sequence[float], vowel: str) -> Signal:
    """Several singers a pitch, all on one vowel."""
    source = 0.06 * dsp.highpass(dsp.white(rng, n), 800, rate)
    for hz in pitches_hz:
        for _ in range(2):
            own = hz * rng.uniform(0.994, 1.006)
            source += glottis(dsp.vibrato(rng, own, n, rate, 0.008, rng.uniform(4.8, 6)), n, rate, 1.3)
    tracks = vowel_tracks([(0, vowel), (1, vowel)], n, 0.92)
    return dsp.unit(dsp.sculpt(source, dsp.peak_gains(n, rate, tracks))) * dsp.swell(n, rate, 0.25, 0.4)


@kind(
    "choir", "a choir", "a choir singing", "a church choir", "a heavenly choir", "voices singing ahh", "choral music",
    "a choir holding a chord", "angelic voices",
)
def choir(rng: np.random.Generator, n: int, rate: int) -> Signal:
    vowel = dsp.pick(rng, ("a", "o", "u"))
    out, t, root = np.zeros(n), 0.0, int(rng.integers(45, 53))
    while t < n / rate - 0.3:
        length = rng.uniform(1.8, 3.0)
        triad = TRIADS[dsp.pick(rng, ("major", "minor"))][:3]
        pitches = [hz_of(root + interval + 7) for interval in triad]
        dsp.add(out, choir_chord(rng, int(1.15 * length * rate), rate, pitches, vowel), int(t * rate))
        root, t = root + int(dsp.pick(rng, (-3, 2, 5, -5))), t + length
    return dsp.room(rng, out, rate, 2.5, 0.4)


def sung(rng: np.random.Generator, n: int, rate: int, low: int, high: int, tract: float) -> Signal:
    def note(hz: float, s: float) -> Signal:
        m = int(s * 1.02 * rate)
        curve = dsp.vibrato(rng, hz, m, rate, 0.012, rng.uniform(5, 6)) * dsp.curve(m, [(0, 0.96), (0.1, 1), (1, 1)])
        vowels = [(0, dsp.pick(rng, ("a", "o", "e", "u"))), (1, dsp.pick(rng, ("a", "o", "e")))]
        return voiced(rng, m, rate, curve, vowels, tract, 0.04, 1.1) * dsp.swell(m, rate, 0.06, 0.12)

    return dsp.room(rng, tune(rng, n, rate, low, high, note, 0.35, 1.0), rate, 1.2, 0.2)


@kind(
    "man singing", "a man singing", "a male singer", "a male vocal", "a tenor singing", "a man's singing voice",
    "a baritone singing a melody", "male vocals",
)
def man_singing(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return sung(rng, n, rate, 45, 55, 1.0)


@kind(
    "woman singing", "a woman singing", "a female singer", "a female vocal", "a soprano singing", "a woman's singing voice",
    "an opera singer", "female vocals",
)
def woman_singing(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return sung(rng, n, rate, 58, 68, 0.85)


@kind(
    "humming", "a person humming", "someone humming a tune", "humming", "a man humming", "a hummed melody", "humming a song",
)
def humming(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def note(hz: float, s: float) -> Signal:
        m = int(s * rate)
        curve = dsp.vibrato(rng, hz, m, rate, 0.006, 5) * dsp.curve(m, [(0, 0.96), (0.15, 1), (1, 1)])
        x = dsp.wavetable(curve, dsp.saw_amplitudes(20, 1.3), m, rate)
        return dsp.body(x, rate, [(260, 3, 1), (1000, 6, 0.1)], 0.05) * dsp.swell(m, rate, 0.06, 0.12)

    return tune(rng, n, rate, 45, 58, note, 0.3, 0.7)


@kind(
    "whistling", "a person whistling", "someone whistling a tune", "whistling", "a man whistling", "a whistled melody",
    "a cheerful whistle",
)
def whistling(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def note(hz: float, s: float) -> Signal:
        m = int(s * rate)
        curve = dsp.vibrato(rng, hz, m, rate, 0.008, 5.5) * dsp.curve(m, [(0, 0.93), (0.15, 1), (0.9, 1), (1, 0.97)])
        breath = dsp.sculpt(dsp.white(rng, m), dsp.peak_gains(m, rate, [(curve, 250, 1.0)]))
        return (dsp.sine(curve, m, rate) + 0.12 * dsp.unit(breath)) * dsp.swell(m, rate, 0.04, 0.08)

    return tune(rng, n, rate, 79, 88, note, 0.15, 0.5)

