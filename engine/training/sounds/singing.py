"""Choirs, singers, humming and whistling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Sound, kind
from engine.training.sounds.melody import TRIADS, hz_of, tune
from engine.training.sounds.throat import glottis, voiced, vowel_tracks


def choir_chord(
    rng: np.random.Generator, n: int, rate: int, pitches_hz: Sequence[float], vowel: str
) -> Signal:
    """Several singers a pitch, all on one vowel."""
    source = 0.06 * dsp.highpass(dsp.white(rng, n), 800, rate)
    for hz in pitches_hz:
        for _ in range(2):
            own = hz * rng.uniform(0.994, 1.006)
            source += glottis(
                dsp.vibrato(rng, own, n, rate, 0.008, rng.uniform(4.8, 6)), n, rate, 1.3
            )
    tracks = vowel_tracks([(0, vowel), (1, vowel)], n, 0.92)
    return dsp.unit(dsp.sculpt(source, dsp.peak_gains(n, rate, tracks))) * dsp.swell(
        n, rate, 0.25, 0.4
    )


@kind(
    "choir",
    "a choir, a choir singing, a church choir, a heavenly choir, voices singing ahh, choral "
    "music, a choir holding a chord, angelic voices",
)
def choir(rng: np.random.Generator, n: int, rate: int) -> Signal:
    vowel = dsp.pick(rng, ("a", "o", "u"))
    out, t, root = np.zeros(n), 0.0, int(rng.integers(45, 53))
    while t < n / rate - 0.3:
        length = rng.uniform(1.8, 3.0)
        triad = TRIADS[dsp.pick(rng, ("major", "minor"))][:3]
        pitches = [hz_of(root + interval + 7) for interval in triad]
        dsp.add(
            out, choir_chord(rng, int(1.15 * length * rate), rate, pitches, vowel), int(t * rate)
        )
        root, t = root + int(dsp.pick(rng, (-3, 2, 5, -5))), t + length
    return dsp.room(rng, out, rate, 2.5, 0.4)


def sung(rng: np.random.Generator, n: int, rate: int, low: int, high: int, tract: float) -> Sound:
    def note(hz: float, s: float) -> Signal:
        m = int(s * 1.02 * rate)
        curve = dsp.vibrato(rng, hz, m, rate, 0.012, rng.uniform(5, 6)) * dsp.curve(
            m, [(0, 0.96), (0.1, 1), (1, 1)]
        )
        vowels = [(0, dsp.pick(rng, ("a", "o", "e", "u"))), (1, dsp.pick(rng, ("a", "o", "e")))]
        return voiced(rng, m, rate, curve, vowels, tract, 0.04, 1.1) * dsp.swell(
            m, rate, 0.06, 0.12
        )

    x, mood = tune(rng, n, rate, low, high, note, 0.35, 1.0)
    return dsp.room(rng, x, rate, 1.2, 0.2), mood


@kind(
    "man singing",
    "a man singing, a male singer, a male vocal, a tenor singing, a man's singing voice, a "
    "baritone singing a melody, male vocals",
)
def man_singing(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return sung(rng, n, rate, 45, 55, 1.0)


@kind(
    "woman singing",
    "a woman singing, a female singer, a female vocal, a soprano singing, a woman's singing "
    "voice, an opera singer, female vocals",
)
def woman_singing(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return sung(rng, n, rate, 58, 68, 0.85)


@kind(
    "humming",
    "a person humming, someone humming a tune, humming, a man humming, a hummed melody, humming "
    "a song",
)
def humming(rng: np.random.Generator, n: int, rate: int) -> Sound:
    def note(hz: float, s: float) -> Signal:
        m = int(s * rate)
        curve = dsp.vibrato(rng, hz, m, rate, 0.006, 5) * dsp.curve(
            m, [(0, 0.96), (0.15, 1), (1, 1)]
        )
        x = dsp.wavetable(curve, dsp.saw_amplitudes(20, 1.3), m, rate)
        return dsp.body(x, rate, [(260, 3, 1), (1000, 6, 0.1)], 0.05) * dsp.swell(
            m, rate, 0.06, 0.12
        )

    return tune(rng, n, rate, 45, 58, note, 0.3, 0.7)


@kind(
    "whistling",
    "a person whistling, someone whistling a tune, whistling, a man whistling, a whistled "
    "melody, the whistling of a person",
)
def whistling(rng: np.random.Generator, n: int, rate: int) -> Sound:
    def note(hz: float, s: float) -> Signal:
        m = int(s * rate)
        curve = dsp.vibrato(rng, hz, m, rate, 0.008, 5.5) * dsp.curve(
            m, [(0, 0.93), (0.15, 1), (0.9, 1), (1, 0.97)]
        )
        breath = dsp.sculpt(dsp.white(rng, m), dsp.peak_gains(m, rate, [(curve, 250, 1.0)]))
        return (dsp.sine(curve, m, rate) + 0.12 * dsp.unit(breath)) * dsp.swell(m, rate, 0.04, 0.08)

    return tune(rng, n, rate, 79, 88, note, 0.15, 0.5)
