"""Many people at once, and hands."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Curve, Signal
from engine.training.sounds.impacts import PLATE, hit
from engine.training.sounds.kinds import Sound, kind
from engine.training.sounds.speech import CHILDREN, MEN, WOMEN, Speaker, say
from engine.training.sounds.throat import spoken, voiced
from engine.training.sounds.voices import ha, talk


def multiply(
    rng: np.random.Generator, voices: list[Signal], n: int, copies: int, spread: float
) -> Signal:
    """A crowd from a few voices: each is read at other places and at slightly other speeds."""
    out = np.zeros(n)
    for _ in range(copies):
        voice = dsp.pick(rng, voices)
        speed = rng.uniform(1 - spread, 1 + spread)
        position = (np.arange(n) * speed + rng.integers(voice.size)) % (voice.size - 1)
        index = position.astype(int)
        out += rng.uniform(0.3, 1.0) * (
            voice[index] + (position - index) * (voice[index + 1] - voice[index])
        )
    return out


def talker(
    rng: np.random.Generator, n: int, rate: int, people: tuple[Speaker, ...], pace: float = 1.0
) -> Signal:
    """One person who talks on and on."""
    who = dsp.pick(rng, people)
    return talk(n, rate, lambda: say(rng, who, rate, pace), lambda: rng.uniform(0.1, 0.6), 0.0)


def murmur(rng: np.random.Generator, n: int, rate: int, copies: int) -> Signal:
    """People talking at the same time."""
    voices = [talker(rng, n, rate, people) for people in (MEN, WOMEN)]
    for hz, tract in ((rng.uniform(100, 140), 1.0), (rng.uniform(180, 230), 0.86)):
        voices.append(dsp.unit(spoken(rng, rate, n / rate, hz, tract)))
    return multiply(rng, voices, n, copies, 0.16)


@kind(
    "crowd chatter",
    "a crowd chattering, crowd chatter, people talking in a restaurant, a murmuring crowd, "
    "background chatter, a busy room full of people talking, the babble of voices, a noisy cafe",
    texture=True,
)
def chatter(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = murmur(rng, n, rate, int(rng.integers(10, 22)))
    x = dsp.room(rng, dsp.unit(x), rate, rng.uniform(0.7, 1.6), 0.5)
    if dsp.chance(rng, 0.4):
        for time in dsp.scattered(rng, n / rate, 0.8, 1):
            dsp.add(
                x,
                hit(rng, rate, rng.uniform(900, 2500), PLATE[:5], 0.3, 0.6, 6000),
                int(time * rate),
                1.5,
            )
    return x


@kind(
    "children playing",
    "children playing, kids playing on a playground, a schoolyard, children shouting and "
    "laughing, a playground full of children, excited kids, children at recess",
    texture=True,
)
def children(rng: np.random.Generator, n: int, rate: int) -> Signal:
    voices = [talk(n, rate, lambda: say(rng, dsp.pick(rng, CHILDREN), rate, 1.2), lambda: 0.1, 0.0)]
    voices.append(dsp.unit(spoken(rng, rate, n / rate, rng.uniform(330, 420), 0.7, 5.5)))
    out = dsp.unit(multiply(rng, voices, n, 9, 0.15))
    for time in dsp.scattered(rng, n / rate, 1.0, 2):
        m = int(rng.uniform(0.3, 0.9) * rate)
        hz = rng.uniform(600, 1100) * dsp.curve(m, [(0, 0.8), (0.3, 1.15), (1, 0.8)])
        shriek = voiced(rng, m, rate, hz, [(0, "a"), (1, "ae")], 0.68, 0.1, 0.6) * dsp.swell(
            m, rate, 0.06, 0.2
        )
        dsp.add(out, shriek, int(time * rate), rng.uniform(0.6, 1.6))
    return dsp.room(rng, out, rate, 1.0, 0.4)


def roar(
    rng: np.random.Generator, n: int, rate: int, hz: Curve, vowels: tuple[str, str], voices: int
) -> Signal:
    """Many throats holding vowels at many pitches, and the noise of the rest."""
    source = np.zeros(n)
    for _ in range(voices):
        bend = dsp.wander(rng, n, rate, rng.uniform(0.8, 2.5), 0.75, 1.3)
        own = hz * dsp.log_uniform(rng, 0.7, 1.7) * bend
        source += dsp.wavetable(own, dsp.saw_amplitudes(30, 0.8), n, rate) * dsp.wander(
            rng, n, rate, 2, 0, 1
        )
    source = dsp.unit(source) + 0.8 * dsp.white(rng, n)
    scale = rng.uniform(0.9, 1.1)
    first, second = ((780, 450)[vowels[0] == "u"] * scale, (1250, 850)[vowels[1] == "u"] * scale)
    tracks = [(first, 350, 1.0), (second, 500, 0.8), (2700.0 * scale, 1100, 0.4)]
    return dsp.unit(dsp.sculpt(source, dsp.peak_gains(n, rate, tracks)))


@kind(
    "crowd cheering",
    "a crowd cheering, a cheering crowd, a stadium crowd, fans cheering, people cheering, a "
    "crowd going wild, a roaring stadium crowd, an audience cheering",
    texture=True,
)
def cheering(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = roar(rng, n, rate, 260.0, ("a", "a"), 14) * dsp.wander(rng, n, rate, 0.7, 0.5, 1)
    if dsp.chance(rng, 0.6):
        for time in dsp.scattered(rng, n / rate, 0.7, 1):
            m = int(rng.uniform(0.4, 0.9) * rate)
            hz = rng.uniform(1800, 2800) * dsp.curve(m, [(0, 0.8), (0.4, 1.1), (1, 0.9)])
            dsp.add(
                x,
                dsp.sine(hz, m, rate) * dsp.swell(m, rate, 0.05, 0.1),
                int(time * rate),
                rng.uniform(0.2, 0.6),
            )
    claps = clapping_crowd(rng, n, rate, 120)
    return dsp.room(rng, x + rng.uniform(0.1, 0.5) * dsp.unit(claps), rate, 1.5, 0.35)


@kind(
    "crowd booing",
    "a crowd booing, an audience booing, boos from the crowd, people booing, a disappointed "
    "crowd, an angry crowd booing",
)
def booing(rng: np.random.Generator, n: int, rate: int) -> Signal:
    fall = dsp.curve(n, [(0, 1.1), (0.5, 0.95), (1, 0.85)])
    x = roar(rng, n, rate, 150 * fall, ("u", "u"), 18) * dsp.wander(rng, n, rate, 0.8, 0.6, 1)
    return dsp.room(rng, dsp.lowpass(x, 1800, rate, 1), rate, 1.6, 0.35)


@kind(
    "crowd gasp",
    "a crowd gasping, an audience gasping in shock, a collective gasp, people saying ooh, an "
    "amazed audience, a crowd going ooh, an audience going aww",
)
def gasp(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(0.9, 1.6) * rate)
        hz = rng.uniform(200, 260) * dsp.curve(m, [(0, 0.9), (0.3, 1.15), (1, 0.85)])
        x = roar(rng, m, rate, hz, dsp.pick(rng, (("u", "u"), ("a", "a"))), 14)
        return x * dsp.swell(m, rate, 0.15, 0.6)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 1.5, 2), rate, 1.2, 0.3)


def clap_clips(rng: np.random.Generator, rate: int, count: int) -> list[Signal]:
    """Single hand claps of different hands."""
    clips = []
    m = int(0.07 * rate)
    for _ in range(count):
        hz = dsp.log_uniform(rng, 700, 2200)
        burst = dsp.white(rng, m) * dsp.decay(m, rate, rng.uniform(0.02, 0.05), 0.0006)
        clips.append(
            dsp.unit(dsp.resonate(burst, hz, 1.2, rate) + 0.3 * dsp.highpass(burst, 1800, rate))
        )
    return clips


def clapping_crowd(rng: np.random.Generator, n: int, rate: int, per_second: float) -> Signal:
    clips = clap_clips(rng, rate, 24)
    kernels = np.stack(clips)
    out = np.zeros(n)
    for kernel in kernels:  # one sparse impulse train a pair of hands
        hits = dsp.sparks(rng, n, rate, per_second / len(clips), 1.0)
        where = np.flatnonzero(hits)
        for at in where[: int(per_second * n / rate)]:
            dsp.add(out, kernel, int(at), float(hits[at]))
    return out


@kind(
    "applause",
    "applause, an audience applauding, a crowd clapping, people clapping, a round of applause, "
    "clapping in a concert hall, an applauding audience, clapping hands of an audience",
    texture=True,
    words={
        "force": {
            "strong": ("loud", "thunderous", "=a standing ovation"),
            "light": ("light", "soft", "polite"),
        }
    },
)
def applause(rng: np.random.Generator, n: int, rate: int) -> Sound:
    people = dsp.log_uniform(rng, 40, 500)
    x = clapping_crowd(rng, n, rate, people)
    if people > 150:
        wash = dsp.bandpass(dsp.white(rng, n), 600, 4500, rate, 1)
        x = dsp.unit(x) + 0.5 * dsp.unit(wash)
    x = x * dsp.wander(rng, n, rate, 0.6, 0.7, 1)
    return dsp.room(rng, dsp.unit(x), rate, rng.uniform(0.6, 1.8), 0.35), {
        "force": dsp.grade(people, 80, 250, ("light", "", "strong"))
    }


@kind(
    "hand clap",
    "a hand clap, a person clapping, clapping hands, rhythmic clapping, someone clapping along, "
    "the clap of hands",
)
def clap(rng: np.random.Generator, n: int, rate: int) -> Sound:
    clip, period = clap_clips(rng, rate, 1)[0], rng.uniform(0.25, 0.9)
    times = dsp.beat(rng, n / rate, period, 0.03)
    x = dsp.place(n, rate, times, lambda: clip * rng.uniform(0.8, 1))
    return (dsp.room(rng, x, rate, rng.uniform(0.3, 0.8), 0.2)), {
        "speed": dsp.grade(period, 0.38, 0.65, ("fast", "", "slow"))
    }


@kind(
    "finger snap",
    "a finger snap, snapping fingers, someone snapping their fingers, finger snaps, a snap of "
    "the fingers, finger clicking, rhythmic finger snapping",
)
def snap(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz, period = rng.uniform(1700, 2900), rng.uniform(0.3, 1.0)

    def clip() -> Signal:
        m = int(0.06 * rate)
        burst = dsp.white(rng, m) * dsp.decay(m, rate, 0.03, 0.0004)
        return dsp.resonate(burst, hz, 3, rate) + 0.15 * burst

    x = dsp.place(n, rate, dsp.beat(rng, n / rate, period, 0.02), clip)
    return (dsp.room(rng, x, rate, 0.5, 0.2)), {
        "speed": dsp.grade(period, 0.45, 0.75, ("fast", "", "slow"))
    }


@kind(
    "audience laughter",
    "an audience laughing, a laugh track, canned laughter, a crowd laughing, a sitcom audience "
    "laughing, a group of people laughing, people laughing together",
)
def audience_laughter(rng: np.random.Generator, n: int, rate: int) -> Signal:
    voices = []
    for hz, tract in ((140, 1.0), (180, 1.0), (270, 0.86), (330, 0.84)):
        step = rng.uniform(0.16, 0.21)
        clips = [ha(rng, rate, hz * rng.uniform(0.9, 1.15), tract) for _ in range(3)]
        voices.append(
            dsp.place(
                n,
                rate,
                np.arange(0, n / rate, step),
                lambda clips=clips: dsp.pick(rng, clips) * rng.uniform(0.5, 1),
            )
        )
    x = multiply(rng, voices, n, 16, 0.3)
    swell = dsp.curve(n, [(0, 0.3), (0.15, 1), (0.6, 0.8), (1, rng.uniform(0.1, 0.7))])
    return dsp.room(rng, dsp.unit(x) * swell, rate, 0.9, 0.4)


@kind(
    "crowd chanting",
    "a crowd chanting, football fans chanting, protesters chanting, people chanting together, a "
    "stadium chant, a group chanting in rhythm",
)
def chanting(rng: np.random.Generator, n: int, rate: int) -> Signal:
    beat_s = rng.uniform(0.35, 0.5)
    rhythm = dsp.pick(rng, ((1, 1, 1, 0), (1, 0, 1, 0), (1, 1, 0, 1), (2, 1, 1, 0)))
    pitches = rng.choice((1.0, 1.0, 1.122, 0.89, 1.26), len(rhythm))
    out = np.zeros(n)
    clips = []
    for pitch in pitches:
        m = int(beat_s * 0.95 * rate)
        x = roar(rng, m, rate, 190 * pitch, ("a", "a"), 12)
        clips.append(x * dsp.swell(m, rate, 0.05, 0.12))
    for index, time in enumerate(np.arange(rng.uniform(0, 0.3), n / rate, beat_s)):
        if rhythm[index % len(rhythm)]:
            dsp.add(out, clips[index % len(clips)], int(time * rate))
    return dsp.room(rng, out, rate, 1.4, 0.35)


@kind(
    "street traffic",
    "street traffic, city traffic, a busy street, cars on a busy road, urban ambience, highway "
    "traffic, rush hour traffic, a noisy city street",
    texture=True,
)
def traffic(rng: np.random.Generator, n: int, rate: int) -> Signal:
    out = 0.5 * dsp.unit(dsp.lowpass(dsp.coloured(rng, n, -3), 700, rate, 1))
    for _ in range(int(rng.integers(2, 5))):
        near = np.exp(-(((np.linspace(0, 1, n) - rng.random()) / rng.uniform(0.1, 0.25)) ** 2))
        car = dsp.sweep_lowpass(dsp.coloured(rng, n, -2), rate, 250 + 2500 * near, 1)
        out += rng.uniform(0.5, 1.2) * dsp.unit(car) * near
    if dsp.chance(rng, 0.4):
        m = int(rng.uniform(0.2, 0.6) * rate)
        root = rng.uniform(330, 450)
        honk = dsp.lowpass(
            dsp.saw(root, m, rate) + dsp.saw(1.26 * root, m, rate), 2200, rate
        ) * dsp.swell(m, rate, 0.02, 0.05)
        dsp.add(out, dsp.unit(honk), int(rng.uniform(0, 0.85) * n), rng.uniform(0.2, 0.7))
    return out
