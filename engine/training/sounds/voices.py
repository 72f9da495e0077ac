"""People: speaking, shouting, whispering, laughing, crying, breathing, coughing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Sound, kind
from engine.training.sounds.speech import CHILDREN, MEN, WHISPERERS, WOMEN, Speaker, say
from engine.training.sounds.throat import spoken, voiced

MOOD = {
    "speed": {
        "fast": ("fast", "quick", "hurried", "...quickly"),
        "slow": ("slow", "calm", "...slowly"),
    },
    "pitch": {
        "high": ("high-pitched", "...in a high voice", "...with a high-pitched voice"),
        "low": ("deep-voiced", "...in a deep voice", "...with a low voice"),
    },
}


def talk(
    n: int, rate: int, line: Callable[[], Signal], pause_s: Callable[[], float], start_s: float
) -> Signal:
    """Sentences one after the other until the end."""
    out, t = np.zeros(n), start_s
    for _ in range(12):
        if t >= n / rate - 0.2:
            break
        x = line()
        dsp.add(out, dsp.unit(x), int(t * rate))
        t += x.size / rate + pause_s()
    return out


def calm(rng: np.random.Generator, n: int, rate: int, people: tuple[Speaker, ...]) -> Sound:
    """One person talking, at a pace and a height of voice of their own."""
    who, pace, height = dsp.pick(rng, people), dsp.log_uniform(rng, 0.75, 1.4), rng.random()

    def line() -> Signal:
        return say(rng, who, rate, pace, height=height)

    x = talk(n, rate, line, lambda: rng.uniform(0.15, 0.5), rng.uniform(0, 0.3))
    if dsp.chance(rng, 0.4):
        x = dsp.room(rng, x, rate, rng.uniform(0.2, 0.6), 0.15)
    return x, {
        "speed": dsp.grade(pace, 0.85, 1.2, ("slow", "", "fast")),
        "pitch": dsp.grade(height, 0.25, 0.8, ("low", "", "high")),
    }


def angry(rng: np.random.Generator, n: int, rate: int, people: tuple[Speaker, ...]) -> Signal:
    """Shouting: higher, faster, spectrum tilted up, voice near its limit."""
    who = dsp.pick(rng, people)
    lift, height = rng.uniform(0.35, 0.6), rng.random()

    def line() -> Signal:
        x = say(rng, who, rate, rng.uniform(1.15, 1.4), lift, True, height)
        x = dsp.unit(x) + 1.6 * dsp.unit(dsp.bandpass(x, 1000, 3800, rate, 1))
        rough = 1.0 + 0.35 * dsp.lowpass(dsp.white(rng, x.size), 70, rate)
        return dsp.drive(dsp.unit(x) * rough, 2.5)

    x = talk(n, rate, line, lambda: rng.uniform(0.05, 0.25), rng.uniform(0, 0.2))
    return dsp.room(rng, x, rate, rng.uniform(0.3, 0.8), 0.15)


@kind(
    "man speaking",
    "a man speaking, a man talking, male speech, a male voice, a guy talking, a man's voice, a "
    "male narrator, a male speaker",
    words=MOOD,
)
def man(rng: np.random.Generator, n: int, rate: int) -> Sound:
    return calm(rng, n, rate, MEN)


@kind(
    "woman speaking",
    "a woman speaking, a woman talking, female speech, a female voice, a lady talking, a "
    "woman's voice, a female narrator, a female speaker",
    words=MOOD,
)
def woman(rng: np.random.Generator, n: int, rate: int) -> Sound:
    return calm(rng, n, rate, WOMEN)


@kind(
    "child speaking",
    "a child speaking, a kid talking, a child's voice, a little girl talking, a small child "
    "talking, child speech, a young kid speaking",
    words=MOOD,
)
def child(rng: np.random.Generator, n: int, rate: int) -> Sound:
    return calm(rng, n, rate, CHILDREN)


@kind(
    "angry man",
    "a man shouting angrily, an angry man, a man yelling, an angry male voice, a furious man "
    "shouting, a man screaming at someone, a man in a rage, angry male shouting",
)
def angry_man(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return angry(rng, n, rate, MEN)


@kind(
    "angry woman",
    "a woman shouting angrily, an angry woman, a woman yelling, an angry female voice, a "
    "furious woman shouting, a woman arguing loudly, angry female shouting",
)
def angry_woman(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return angry(rng, n, rate, WOMEN)


@kind(
    "conversation",
    "a man and a woman talking, a conversation, two people talking, a dialogue between two "
    "people, people having a conversation, two voices talking to each other",
)
def conversation(rng: np.random.Generator, n: int, rate: int) -> Signal:
    pair = [(dsp.pick(rng, MEN), rng.random()), (dsp.pick(rng, WOMEN), rng.random())]

    def line() -> Signal:
        pair.reverse()
        who, height = pair[0]
        return say(rng, who, rate, 1.25, height=height)[: int(rng.uniform(1.0, 2.2) * rate)]

    return talk(n, rate, line, lambda: rng.uniform(0.05, 0.3), rng.uniform(0, 0.2))


@kind(
    "whispering",
    "whispering, a person whispering, someone whispering, a whisper, a whispered voice, "
    "whispered words, a quiet whispering voice",
)
def whispering(rng: np.random.Generator, n: int, rate: int) -> Signal:
    who = dsp.pick(rng, WHISPERERS)
    own = dsp.chance(rng, 0.35)

    def line() -> Signal:
        return spoken(rng, rate, 2.5, 0.0, who.tract, 4.0) if own else say(rng, who, rate, 0.95)

    return dsp.highpass(
        talk(n, rate, line, lambda: rng.uniform(0.2, 0.5), rng.uniform(0, 0.4)), 250, rate
    )


@kind(
    "robot voice",
    "a robot voice, a robot speaking, a robotic voice, a synthetic voice, an android talking, a "
    "vocoder voice, a computer voice speaking",
)
def robot(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x, _ = calm(rng, n, rate, MEN)
    if dsp.chance(rng, 0.5):
        ring = x * dsp.sine(rng.uniform(50, 110), n, rate)
        return dsp.unit(ring) + 0.3 * dsp.unit(x)
    carrier = dsp.saw(rng.uniform(80, 130), n, rate) + 0.05 * dsp.white(rng, n)
    out = np.zeros(n)
    for hz in np.geomspace(220, 5000, 14):
        level = dsp.lowpass(np.abs(dsp.bandpass(x, hz / 1.12, hz * 1.12, rate, 1)), 40, rate)
        out += level * dsp.unit(dsp.bandpass(carrier, hz / 1.12, hz * 1.12, rate, 1))
    return out


def ha(rng: np.random.Generator, rate: int, hz: float, tract: float) -> Signal:
    """One syllable of laughter."""
    n = int(rng.uniform(0.13, 0.18) * rate)
    breath = dsp.bandpass(dsp.white(rng, n), 700, 4500, rate) * dsp.decay(n, rate, 0.15, 0.01)
    vowel = voiced(
        rng, n, rate, hz * dsp.curve(n, [(0, 1.1), (1, 0.85)]), [(0, "a"), (1, "uh")], tract
    )
    return (
        vowel * dsp.curve(n, [(0, 0), (0.25, 0.1), (0.45, 1), (0.8, 0.7), (1, 0)]) + 0.35 * breath
    )


def laugh(rng: np.random.Generator, rate: int, hz: float, tract: float) -> Signal:
    """A laugh: a falling row of syllables."""
    count = int(rng.integers(4, 11))
    out = np.zeros(int((0.2 * count + 0.3) * rate))
    step = rng.uniform(0.16, 0.2)
    for index in range(count):
        fall = 1.25 - 0.35 * index / count
        syllable = ha(rng, rate, hz * fall * rng.uniform(0.96, 1.04), tract)
        dsp.add(out, syllable, int(index * step * rate), fall * rng.uniform(0.7, 1.0))
    return out


@kind(
    "laughter",
    "laughter, a person laughing, someone laughing, a laugh, hearty laughter, laughing out "
    "loud, a man laughing, a man chuckling",
)
def laughter(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz, tract = (rng.uniform(150, 210), 1.0)
    return talk(
        n,
        rate,
        lambda: laugh(rng, rate, hz, tract),
        lambda: rng.uniform(0.1, 0.6),
        rng.uniform(0, 0.4),
    )


@kind(
    "woman laughing",
    "a woman laughing, female laughter, a woman giggling, a lady laughing, a girl giggling, a "
    "high-pitched laugh",
)
def woman_laughing(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(270, 380)
    return talk(
        n,
        rate,
        lambda: laugh(rng, rate, hz, 0.85),
        lambda: rng.uniform(0.1, 0.6),
        rng.uniform(0, 0.4),
    )


@kind(
    "crying baby",
    "a crying baby, a baby crying, an infant crying, a newborn wailing, a baby's cry, a "
    "screaming baby, an upset infant",
)
def crying_baby(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(400, 520)

    def clip() -> Signal:
        m = int(rng.uniform(0.7, 1.2) * rate)
        melody = (
            hz
            * dsp.curve(m, [(0, 0.8), (0.2, 1.1), (0.6, 1.05), (1, 0.75)])
            * rng.uniform(0.95, 1.1)
        )
        cry = voiced(
            rng, m, rate, melody, [(0, "uh"), (0.2, "ae"), (0.8, "a"), (1, "uh")], 0.6, 0.08, 0.7
        )
        rough = 1 + 0.4 * np.sin(2 * np.pi * dsp.cycles(melody / 2, m, rate)) * dsp.chance(rng, 0.4)
        gasp = (
            dsp.band_noise(rng, int(0.25 * rate), rate, 1200, 4000)
            * np.hanning(int(0.25 * rate))
            * 0.15
        )
        return np.concatenate([cry * rough * dsp.swell(m, rate, 0.08, 0.2), gasp])

    return talk(n, rate, clip, lambda: rng.uniform(0.02, 0.2), rng.uniform(0, 0.4))


@kind(
    "scream",
    "a scream, a person screaming, a woman screaming in terror, a terrified scream, someone "
    "screaming, a horror movie scream, a shriek",
)
def scream(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz, length = rng.uniform(650, 1100), rng.uniform(0.9, 1.8)

    def clip() -> Signal:
        m = int(length * rate)
        melody = hz * dsp.curve(m, [(0, 0.6), (0.12, 1.05), (0.6, 1.0), (1, 0.8)])
        melody *= 1 + 0.02 * dsp.lowpass(dsp.white(rng, m), 60, rate) * 5
        x = voiced(rng, m, rate, melody, [(0, "a"), (0.5, "ae"), (1, "a")], 0.8, 0.5, 0.5)
        return dsp.drive(x, 1.5) * dsp.swell(m, rate, 0.05, 0.3)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, length, 2), rate, 1.0, 0.2)
