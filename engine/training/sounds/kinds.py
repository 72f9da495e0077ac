"""The registry of sound kinds: a name, its synthesiser and the words for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.training.sounds.dsp import Signal

Attributes = dict[str, str]
Make = Callable[[np.random.Generator, int, int], tuple[np.ndarray, Attributes]]
Words = Mapping[str, Mapping[str, tuple[str, ...]]]  # attribute -> value -> adjectives

KINDS: dict[str, Kind] = {}


@dataclass(frozen=True)
class Kind:
    """One recognisable sound.

    Attributes
    ----------
    make : (rng, n_samples, rate) -> (float32 samples, shape = (n_samples,), its attributes)
    phrases : at least 6 noun phrases, "a dog barking", with their article where they have one.
    attribute_words : own words for attribute values, before those of `captions.WORDS`. A word
        goes before the noun; one that starts with "..." goes after the phrase.
    texture : goes on without a beginning or end, and so suits a background.
    """

    name: str
    family: str
    make: Make
    phrases: tuple[str, ...]
    attribute_words: Words = field(default_factory=dict)
    texture: bool = False


Synth = Callable[[np.random.Generator, int, int], "tuple[Signal, Attributes] | Signal"]


def kind(
    name: str, *phrases: str, words: Words | None = None, texture: bool = False
) -> Callable[[Synth], Synth]:
    """Decorator that registers a synthesiser; the family is the file it stands in."""

    def register(synth: Synth) -> Synth:
        if name in KINDS or len(set(phrases)) < 6:
            raise ValueError(f"{name!r}: expected a new name with 6 phrases, got {phrases}")
        family = synth.__module__.rsplit(".", 1)[-1]
        KINDS[name] = Kind(name, family, _finished(synth), phrases, words or {}, texture)
        return synth

    return register


def _finished(synth: Synth) -> Make:
    """Wrap a synthesiser so that it always gives clean float32 of the right length and peak 1."""

    def make(rng: np.random.Generator, n: int, rate: int) -> tuple[np.ndarray, Attributes]:
        made = synth(rng, n, rate)
        x, attributes = made if isinstance(made, tuple) else (made, {})
        x = np.nan_to_num(x - np.mean(x))
        x = x / max(float(np.max(np.abs(x), initial=0.0)), 1e-9)
        kept = {name: value for name, value in attributes.items() if value}
        return x.astype(np.float32), kept

    return make
