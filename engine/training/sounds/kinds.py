"""The registry of sound kinds: a name, its synthesiser and the words for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.training.sounds.dsp import Signal

Attributes = dict[str, str]
Sound = tuple[Signal, Attributes]
Make = Callable[[np.random.Generator, int, int], tuple[np.ndarray, Attributes]]
Words = Mapping[str, Mapping[str, tuple[str, ...]]]  # attribute -> value -> adjectives


@dataclass(frozen=True)
class Kind:
    """One recognisable sound.

    Attributes
    ----------
    make : (rng, n_samples, rate) -> (float32 samples, shape = (n_samples,), its attributes)
    phrases : at least 6 noun phrases, "a dog barking", with their article where they have one.
    attribute_words : own words for attribute values, before those of `captions.WORDS`. A word
        goes before the noun; one that starts with "..." goes after the phrase; one that starts
        with "=" takes its place.
    texture : goes on without a beginning or end, and so suits a background.
    """

    name: str
    family: str
    make: Make
    phrases: tuple[str, ...]
    attribute_words: Words = field(default_factory=dict)
    texture: bool = False


KINDS: dict[str, Kind] = {}
TRIES = 4  # of a sparse sound that happens to fall outside a short clip
SILENCE = 1e-7

Synth = Callable[[np.random.Generator, int, int], Sound | Signal]


def kind(
    name: str, phrases: str, words: Words | None = None, texture: bool = False
) -> Callable[[Synth], Synth]:
    """Decorator that registers a synthesiser; the family is the file it stands in.

    `phrases` are separated by commas.
    """
    wordings = tuple(phrases.split(", "))
    if name in KINDS or len(set(wordings)) < 6:
        raise ValueError(f"{name!r}: expected a new name with 6 phrases, got {wordings}")

    def register(synth: Synth) -> Synth:
        family = synth.__module__.rsplit(".", 1)[-1]
        KINDS[name] = Kind(name, family, _finished(synth), wordings, words or {}, texture)
        return synth

    return register


def _finished(synth: Synth) -> Make:
    """Wrap a synthesiser so that it always gives clean float32 of the right length and peak 1."""

    def make(rng: np.random.Generator, n: int, rate: int) -> tuple[np.ndarray, Attributes]:
        for _ in range(TRIES):
            made = synth(rng, n, rate)
            x, attributes = made if isinstance(made, tuple) else (made, {})
            x = np.nan_to_num(x - np.mean(x))
            loudest = float(np.max(np.abs(x), initial=0.0))
            if loudest > SILENCE:
                break
        kept = {name: value for name, value in attributes.items() if value}
        return (x / max(loudest, SILENCE)).astype(np.float32), kept

    return make
