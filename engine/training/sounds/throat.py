"""Voices of our own: a sound source and a throat, for people, crowds and animals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Curve, Signal

Tracks = Sequence[tuple[Curve, float, float]]


def call(
    rng: np.random.Generator,
    n: int,
    rate: int,
    hz: Curve,
    tracks: Tracks,
    rough: float = 0.0,
    breath: float = 0.1,
    tilt: float = 0.9,
) -> Signal:
    """An animal's voice: harmonics through a moving throat; `rough` adds growl and subharmonics."""
    jitter = 1.0 + rough * 0.15 * dsp.lowpass(dsp.white(rng, n), 90, rate) * 3
    source = dsp.unit(
        dsp.wavetable(np.broadcast_to(hz, n) * jitter, dsp.saw_amplitudes(60, tilt), n, rate)
    )
    source *= 1.0 + rough * np.sin(np.pi * dsp.cycles(hz, n, rate))
    source += (breath + 0.4 * rough) * dsp.white(rng, n)
    return dsp.unit(dsp.sculpt(source, dsp.peak_gains(n, rate, tracks)))


# formants of a man in Hz (Peterson & Barney 1952, rounded)
VOWELS = {
    "a": (730, 1090, 2440), "e": (530, 1840, 2480), "i": (270, 2290, 3010),
    "o": (570, 840, 2410), "u": (300, 870, 2240), "ae": (660, 1720, 2410),
    "uh": (520, 1190, 2390), "er": (490, 1350, 1690),
}  # fmt: skip


def glottis(hz: Curve, n: int, rate: int, tilt: float = 1.6) -> Signal:
    """Voice source: harmonics that fall by 6 dB an octave times `tilt`."""
    return dsp.wavetable(hz, dsp.saw_amplitudes(70, tilt), n, rate)


def vowel_tracks(
    vowels: Sequence[tuple[float, str]], n: int, tract: float
) -> list[tuple[Curve, float, float]]:
    """Moving formants for `dsp.peak_gains`, through (position from 0 to 1, vowel)."""
    tracks: list[tuple[Curve, float, float]] = []
    for formant, (width, level) in enumerate(((90, 1.0), (120, 0.6), (180, 0.35))):
        points = [(position, VOWELS[vowel][formant] / tract) for position, vowel in vowels]
        tracks.append((dsp.curve(n, points), width, level))
    return [*tracks, (3500.0 / tract, 300, 0.2)]


def voiced(
    rng: np.random.Generator,
    n: int,
    rate: int,
    hz: Curve,
    vowels: Sequence[tuple[float, str]],
    tract: float = 1.0,
    breath: float = 0.03,
    tilt: float = 1.2,
) -> Signal:
    """A sung or called vowel that moves through `vowels`."""
    jitter = 1.0 + dsp.wander(rng, n, rate, 30, -0.008, 0.008)
    source = dsp.unit(glottis(np.broadcast_to(hz, n) * jitter, n, rate, tilt))
    source += breath * dsp.highpass(dsp.white(rng, n), 800, rate)
    return dsp.unit(dsp.sculpt(source, dsp.peak_gains(n, rate, vowel_tracks(vowels, n, tract))))


def syllable_envelope(
    rng: np.random.Generator, n: int, rate: int, per_second: float
) -> tuple[Signal, list[tuple[float, str]], Signal]:
    """Loudness of the vowels, the vowels, and the loudness of the consonants between them."""
    loud, hiss, vowels, t = np.zeros(n), np.zeros(n), [(0.0, "uh")], 0.0
    while t < n / rate:
        length = rng.uniform(0.6, 1.3) / per_second
        m = max(8, int(length * rng.uniform(0.6, 0.95) * rate))
        dsp.add(loud, dsp.swell(m, rate, 0.03, 0.06) * rng.uniform(0.5, 1.0), int(t * rate))
        burst = max(8, int(rng.uniform(0.02, 0.09) * rate))
        dsp.add(hiss, np.hanning(burst) * rng.uniform(0.0, 0.5), int(t * rate) - burst)
        vowels.append(((t + 0.4 * length) * rate / n, dsp.pick(rng, tuple(VOWELS))))
        t += length + (rng.uniform(0.2, 0.5) if dsp.chance(rng, 0.08) else 0.0)
    return loud, vowels, hiss


def spoken(
    rng: np.random.Generator,
    rate: int,
    length_s: float,
    hz: float,
    tract: float,
    per_second: float = 4.5,
) -> Signal:
    """Speech without words: syllables of random vowels and consonants; hz 0 whispers."""
    n = int(length_s * rate)
    loud, vowels, hiss = syllable_envelope(rng, n, rate, per_second)
    if hz > 0:
        melody = hz * dsp.wander(rng, n, rate, 3, 0.85, 1.2) * dsp.curve(n, [(0, 1.08), (1, 0.88)])
        x = voiced(rng, n, rate, melody, vowels, tract) * loud
    else:
        noise = dsp.highpass(dsp.white(rng, n), 400, rate)
        x = (
            dsp.unit(dsp.sculpt(noise, dsp.peak_gains(n, rate, vowel_tracks(vowels, n, tract))))
            * loud
        )
    consonants = dsp.bandpass(dsp.white(rng, n), 2200, 7000, rate) * hiss
    return dsp.peak(x + 1.2 * consonants)
