"""Little tunes and chords for the instruments."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Sound

MAJOR, MINOR, PENTATONIC = (
    (0, 2, 4, 5, 7, 9, 11, 12),
    (0, 2, 3, 5, 7, 8, 10, 12),
    (0, 2, 4, 7, 9, 12),
)


TRIADS = {
    "major": (0, 4, 7, 12),
    "minor": (0, 3, 7, 12),
    "seventh": (0, 4, 7, 10),
    "suspended": (0, 5, 7, 12),
}


CHORD = {
    "chord": {
        "major": ("major", "happy"),
        "minor": ("minor", "sad", "melancholic"),
        "seventh": ("seventh", "jazzy"),
        "suspended": ("suspended", "open"),
    }
}


Note = Callable[[float, float], Signal]  # (hz, length_s) -> samples


def hz_of(midi: float) -> float:
    return 440.0 * 2.0 ** ((midi - 69.0) / 12.0)


def tune(
    rng: np.random.Generator,
    n: int,
    rate: int,
    low_midi: int,
    high_midi: int,
    note: Note,
    shortest_s: float = 0.18,
    longest_s: float = 0.8,
    overlap: float = 1.0,
) -> Sound:
    """A little melody that walks up and down a scale, with its speed and mood."""
    root = int(rng.integers(low_midi, high_midi + 1))
    scale = dsp.pick(rng, (MAJOR, MINOR, PENTATONIC))
    step, t = rng.uniform(shortest_s, longest_s), rng.uniform(0, 0.2)
    degree, out = int(rng.integers(len(scale))), np.zeros(n)
    while t < n / rate - 0.05:
        length = step * dsp.pick(rng, (1, 1, 1, 2, 0.5) if step > 0.2 else (1, 1, 2))
        if dsp.chance(rng, 0.92):
            clip = note(hz_of(root + scale[degree]), length * overlap)
            dsp.add(out, clip, int(t * rate), rng.uniform(0.75, 1))
        degree = int(np.clip(degree + rng.integers(-2, 3), 0, len(scale) - 1))
        t += length
    mood = "sad" if scale is MINOR else "happy" if scale is MAJOR else ""
    return out, {"speed": dsp.grade(step, 0.22, 0.55, ("fast", "", "slow")), "mood": mood}


def chords(
    rng: np.random.Generator,
    n: int,
    rate: int,
    low_midi: int,
    high_midi: int,
    note: Note,
    spread_s: float = 0.0,
    every_s: float = 1.2,
    may_stop: bool = True,
) -> tuple[Signal, str]:
    """One chord, or a few of one colour, and the name of that colour."""
    colour = dsp.pick(rng, tuple(TRIADS))
    root, t, out = int(rng.integers(low_midi, high_midi + 1)), rng.uniform(0, 0.4), np.zeros(n)
    while t < n / rate - 0.2:
        for index, interval in enumerate(TRIADS[colour]):
            clip = note(hz_of(root + interval), every_s * 1.6)
            dsp.add(out, clip, int((t + index * spread_s) * rate), rng.uniform(0.7, 1))
        if may_stop and dsp.chance(rng, 0.2):
            break
        root += int(dsp.pick(rng, (-5, -3, 2, 5, -2)))
        root = int(np.clip(root, low_midi - 5, high_midi + 5))
        t += every_s * dsp.pick(rng, (1, 1, 2))
    return out, colour
