"""Natural English for a sound: adjectives put into noun phrases, phrases put into sentences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.training.sounds.dsp import chance, pick
from engine.training.sounds.kinds import Attributes, Kind, Words

N_CAPTIONS = 12
ARTICLES = ("a", "an", "the")
PERSONS = ("someone", "somebody", "people", "two", "three", "santa's")
SOUND_LIKE_YOU = ("uni", "use", "usu", "ufo", "euro", "one", "ukulele", "u-")

# A word goes before the noun; "...word" goes after the whole phrase.
WORDS: Words = {
    "pitch": {
        "high": ("high-pitched", "high", "shrill", "...at a high pitch"),
        "low": ("low-pitched", "low", "deep", "...at a low pitch"),
    },
    "speed": {
        "fast": ("fast", "rapid", "quick", "...at a fast pace"),
        "slow": ("slow", "unhurried", "leisurely", "...at a slow pace"),
    },
    "brightness": {
        "bright": ("bright", "crisp", "sharp"),
        "dark": ("dull", "muffled", "dark", "muted"),
    },
    "distance": {
        "far": ("distant", "faraway", "...in the distance", "...far away", "...from afar"),
        "near": ("close", "nearby", "...up close", "...very near"),
    },
    "size": {"big": ("big", "large", "huge"), "small": ("small", "little", "tiny")},
    "force": {
        "strong": ("strong", "hard", "loud", "powerful"),
        "light": ("soft", "gentle", "light", "quiet"),
    },
    "length": {"long": ("long", "sustained", "drawn-out"), "short": ("short", "brief")},
    "mood": {
        "happy": ("happy", "cheerful", "joyful", "...in a major key"),
        "sad": ("sad", "melancholic", "sorrowful", "...in a minor key"),
    },
}

PLAIN = (
    "the sound of {x}", "sound of {x}", "{x} can be heard", "a recording of {x}", "audio of {x}",
    "{x}, sound effect", "we hear {x}", "a sound like {x}", "a clip of {x}", "the noise of {x}",
    "you can hear {x}", "the sounds of {x}", "this is the sound of {x}",
)  # fmt: skip
OVER = (
    "{a} with {b} in the background", "{a} while {b} can be heard in the background",
    "{a} over {b}", "{a} and {b}", "{a} with {b} behind it", "{b} in the background and {a}",
    "{a}, and {b} in the background", "{a} in front of {b}", "{a} together with {b}",
    "{a} while {b} can be heard behind it", "{a} amid {b}", "the sound of {a} and {b}",
    "{a} mixed with {b}", "background of {b} with {a}",
)  # fmt: skip
AFTER = (
    "{a}, then {b}", "{a} followed by {b}", "first {a}, then {b}", "{a} and then {b}",
    "{b} after {a}", "{a} before {b}", "{a}, followed by {b}", "at first {a}, afterwards {b}",
    "{a} and after that {b}", "{a}, and finally {b}", "it starts with {a} and ends with {b}",
)  # fmt: skip


def article_for(word: str) -> str:
    """a or an."""
    spoken_vowel = word[:1].lower() in "aeiou" and not word.lower().startswith(SOUND_LIKE_YOU)
    return "an" if spoken_vowel or word.lower().startswith(("hour", "honest")) else "a"


def bare(phrase: str) -> str:
    """The phrase without its article."""
    first, _, rest = phrase.partition(" ")
    return rest if first in ARTICLES and rest else phrase


def with_word(phrase: str, word: str) -> str:
    """Put an adjective into a noun phrase, or an adverbial ("...far away") behind it."""
    if word.startswith("..."):
        return f"{phrase} {word[3:]}"
    first, _, rest = phrase.partition(" ")
    if first not in ARTICLES:
        return f"{word} {phrase}"
    return f"{'the' if first == 'the' else article_for(word)} {word} {rest}"


def takes_adjective(phrase: str) -> bool:
    """Not "someone typing" and not "typing on a keyboard", but "a typist" and "typing"."""
    first, _, rest = phrase.partition(" ")
    return first.lower() not in PERSONS and not (rest and first.endswith("ing"))


def words_for(kind: Kind, name: str, value: str) -> tuple[str, ...]:
    for words in (kind.attribute_words, WORDS):
        if value in words.get(name, {}):
            return words[name][value]
    return ()


def described(rng: np.random.Generator, kind: Kind, phrase: str, words: tuple[str, ...]) -> str:
    """The phrase with one of the words, or another phrase of the kind if that can't take it."""
    usable = [word for word in words if bare(word.lstrip(".")) not in phrase]
    if not usable:
        return phrase
    word = pick(rng, usable)
    if word.startswith("="):
        return word[1:]
    if not word.startswith("...") and not takes_adjective(phrase):
        phrase = pick(rng, [p for p in kind.phrases if takes_adjective(p)] or (kind.name,))
    return with_word(phrase, word)


def noun(rng: np.random.Generator, kind: Kind, attributes: Attributes, detail: float = 0.5) -> str:
    """One of the kind's phrases, with one of its attributes at probability `detail`."""
    phrase = kind.name if chance(rng, 0.1) else pick(rng, kind.phrases)
    if attributes and chance(rng, detail):
        name = pick(rng, sorted(attributes))
        phrase = described(rng, kind, phrase, words_for(kind, name, attributes[name]))
    return phrase


def _styled(rng: np.random.Generator, text: str) -> str:
    """Mostly as it is; sometimes as a sentence."""
    if chance(rng, 0.12):
        text = text[0].upper() + text[1:]
        return text + "." if chance(rng, 0.6) else text
    return text


def distinct(rng: np.random.Generator, draw: Callable[[], str]) -> tuple[str, ...]:
    """`N_CAPTIONS` different wordings in the order they were drawn."""
    found: dict[str, None] = {}
    for _ in range(40 * N_CAPTIONS):
        found.setdefault(_styled(rng, draw()))
        if len(found) == N_CAPTIONS:
            break
    return tuple(found)


def of_single(rng: np.random.Generator, kind: Kind, attributes: Attributes) -> tuple[str, ...]:
    def draw() -> str:
        phrase = noun(rng, kind, attributes)
        lot = rng.random()
        if lot < 0.5:
            return phrase
        return bare(phrase) if lot < 0.65 else pick(rng, PLAIN).format(x=phrase)

    return distinct(rng, draw)


def of_pair(
    rng: np.random.Generator, a: Kind, b: Kind, attributes: Attributes, templates: tuple[str, ...]
) -> tuple[str, ...]:
    """Captions of two sounds; the attributes are the first one's."""

    def draw() -> str:
        first, second = noun(rng, a, attributes, 0.3), noun(rng, b, {})
        if chance(rng, 0.15):
            first, second = bare(first), bare(second)
        return pick(rng, templates).format(a=first, b=second)

    return distinct(rng, draw)


def of_processed(
    rng: np.random.Generator, kind: Kind, before: tuple[str, ...], after: tuple[str, ...]
) -> tuple[str, ...]:
    """Captions of a sound heard through an effect."""
    follow = tuple(f"...{word}" for word in after)

    def draw() -> str:
        words = before if before and (not follow or chance(rng, 0.4)) else follow
        phrase = described(rng, kind, noun(rng, kind, {}), words)
        return phrase if chance(rng, 0.8) else pick(rng, PLAIN[:4]).format(x=phrase)

    return distinct(rng, draw)
