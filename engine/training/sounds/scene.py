"""Draws training examples: single sounds, mixtures, sequences and processed sounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.training.sounds import captions, dsp
from engine.training.sounds.effects import EFFECTS
from engine.training.sounds.kinds import KINDS, Kind

PEAK_RANGE = (0.3, 0.95)


@dataclass(frozen=True)
class Example:
    """One captioned clip.

    Attributes
    ----------
    samples : float32, shape = (n_samples,), mono, peak at most 0.99, never silent.
    kinds : names of the sounds in it; the background or the second one last.
    captions : at least 10 different wordings of what is in it.
    """

    samples: np.ndarray
    kinds: tuple[str, ...]
    captions: tuple[str, ...]


def _levelled(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    x = dsp.peak(np.nan_to_num(x - np.mean(x)), rng.uniform(*PEAK_RANGE))
    return x.astype(np.float32)


def _draw(rng: np.random.Generator, textures: bool | None = None) -> Kind:
    kinds = [k for k in KINDS.values() if textures is None or k.texture == textures]
    return dsp.pick(rng, kinds)


def recorded(rng: np.random.Generator, x: np.ndarray, rate: int) -> np.ndarray:
    """As a recording might have it: a little room, a microphone's tilt, a noise floor."""
    y = x.astype(np.float64)
    if dsp.chance(rng, 0.25):
        y = dsp.room(rng, y, rate, rng.uniform(0.15, 0.6), rng.uniform(0.04, 0.15))
    if dsp.chance(rng, 0.3):
        y = y + rng.uniform(-0.5, 0.8) * dsp.lowpass(y, dsp.log_uniform(rng, 300, 2000), rate, 1)
    if dsp.chance(rng, 0.7):
        floor = dsp.db(rng.uniform(-70, -34)) * float(np.max(np.abs(y)))
        y = y + floor * dsp.coloured(rng, y.size, rng.uniform(-5, 0))
    return y


def single(
    kind_name: str, rng: np.random.Generator, seconds: float = 5.12, rate: int = 16000
) -> Example:
    """One sound of a kind of `KINDS`, alone."""
    kind = KINDS[kind_name]
    x, attributes = kind.make(rng, round(seconds * rate), rate)
    words = captions.of_single(rng, kind, attributes)
    return Example(_levelled(rng, recorded(rng, x, rate)), (kind.name,), words)


def mixture(rng: np.random.Generator, seconds: float, rate: int) -> Example:
    """A foreground over a background that is 4 to 14 dB weaker."""
    n = round(seconds * rate)
    front = _draw(rng)
    back = front
    while back is front:
        back = _draw(rng, textures=True if dsp.chance(rng, 0.75) else None)
    x, attributes = front.make(rng, n, rate)
    y, _ = back.make(rng, n, rate)
    level = dsp.db(-rng.uniform(4, 14)) * _loud_part(x) / max(_loud_part(y), 1e-9)
    mixed = x.astype(np.float64) + level * y
    words = captions.of_pair(rng, front, back, attributes, captions.OVER)
    return Example(_levelled(rng, mixed), (front.name, back.name), words)


def _loud_part(x: np.ndarray) -> float:
    """RMS of the loudest tenth of a second, so that sparse sounds count as what they are."""
    blocks = x[: x.size // 1600 * 1600].reshape(-1, 1600) if x.size >= 1600 else x[None]
    return float(np.sqrt(np.max(np.mean(np.square(blocks, dtype=np.float64), axis=1))))


def sequence(rng: np.random.Generator, seconds: float, rate: int) -> Example:
    """One sound, then another."""
    n = round(seconds * rate)
    first, second = _draw(rng), _draw(rng)
    while second is first:
        second = _draw(rng)
    cut = int(n * rng.uniform(0.4, 0.6))
    fade = int(0.05 * rate)
    out = np.zeros(n)
    parts = ((first, 0, cut), (second, cut, n - cut))
    for kind, start, length in parts:
        clip, _ = kind.make(rng, length, rate)
        clip = clip * dsp.swell(length, rate, 0.005, fade / rate)
        dsp.add(out, dsp.peak(clip, rng.uniform(0.6, 1.0)), start)
    words = captions.of_pair(rng, first, second, {}, captions.AFTER)
    return Example(_levelled(rng, out), (first.name, second.name), words)


def processed(rng: np.random.Generator, seconds: float, rate: int) -> Example:
    """A sound through one of `EFFECTS`."""
    kind = _draw(rng)
    usable = [e for e in EFFECTS.values() if e.on_textures or not kind.texture]
    effect = dsp.pick(rng, usable)
    x, _ = kind.make(rng, round(seconds * rate), rate)
    y = effect.apply(rng, x.astype(np.float64), rate)
    words = captions.of_processed(rng, kind, effect.before, effect.after)
    return Example(_levelled(rng, y), (kind.name,), words)


def example(rng: np.random.Generator, seconds: float = 5.12, rate: int = 16000) -> Example:
    """One random example: 60 % single, 20 % mixed, 10 % in sequence, 10 % processed."""
    lot = rng.random()
    if lot < 0.2:
        return mixture(rng, seconds, rate)
    if lot < 0.3:
        return sequence(rng, seconds, rate)
    if lot < 0.4:
        return processed(rng, seconds, rate)
    return single(_draw(rng).name, rng, seconds, rate)
