"""Shots, explosions, fireworks, swords, blows and things that fly through the air."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.impacts import METAL, hit
from engine.training.sounds.kinds import Sound, kind


def shot(rng: np.random.Generator, rate: int, weight: float) -> Signal:
    """A gunshot; weight 0 (small pistol) to 1 (cannon-like rifle)."""
    n = int((0.5 + 0.5 * weight) * rate)
    crack = dsp.white(rng, n) * dsp.decay(n, rate, 0.05, 0.0003)
    boom = dsp.lowpass(dsp.white(rng, n), 900 - 600 * weight, rate) * dsp.decay(
        n, rate, 0.25 + 0.3 * weight, 0.0005
    )
    thump = dsp.sine(60 + 100 * np.exp(-np.arange(n) / (0.015 * rate)), n, rate) * dsp.decay(
        n, rate, 0.2, 0.001
    )
    return dsp.drive(1.2 * crack + 2.5 * dsp.unit(boom) * 0.4 + thump, 2.0)


@kind(
    "gunshot",
    "a gunshot, a gun being fired, a pistol shot, a shot from a gun, a rifle shot, gunfire, "
    "someone firing a gun",
)
def gunshot(rng: np.random.Generator, n: int, rate: int) -> Sound:
    weight, far = rng.uniform(0, 1), dsp.chance(rng, 0.25)
    x = dsp.one_shots(rng, n, rate, lambda: shot(rng, rate, weight), 0.8, 4)
    x = dsp.room(rng, x, rate, rng.uniform(0.8, 2.4), rng.uniform(0.2, 0.55) + 0.3 * far)
    return (dsp.lowpass(x, 1200, rate) if far else x), {"distance": "far" if far else ""}


@kind(
    "machine gun",
    "a machine gun, machine gun fire, automatic gunfire, a burst of machine gun fire, an "
    "assault rifle firing, rapid gunfire, a submachine gun",
)
def machine_gun(rng: np.random.Generator, n: int, rate: int) -> Signal:
    clips = [shot(rng, rate, rng.uniform(0.2, 0.6))[: int(0.3 * rate)] for _ in range(3)]
    gap, out, t = rng.uniform(0.065, 0.12), np.zeros(n), rng.uniform(0, 0.3)
    while t < n / rate:
        for _ in range(int(rng.integers(5, 18))):
            dsp.add(out, dsp.pick(rng, clips), int(t * rate), rng.uniform(0.85, 1))
            t += gap
        t += rng.uniform(0.3, 1.0)
    return dsp.room(rng, out, rate, 1.0, 0.25)


@kind(
    "gun reloading",
    "a gun being reloaded, cocking a gun, a gun cocking, loading a weapon, racking a shotgun, a "
    "pistol slide being pulled, a gun reload",
)
def reload(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        out = np.zeros(int(1.0 * rate))
        for at, hz in ((0.0, 1900), (0.12, 1300), (0.38, 1700), (0.46, 1000)):
            click = hit(rng, rate, hz * rng.uniform(0.85, 1.2), METAL[:6], 0.07, 1.5, 6000)
            dsp.add(out, click, int(at * rng.uniform(0.9, 1.2) * rate), rng.uniform(0.6, 1))
            slide = dsp.band_noise(rng, int(0.07 * rate), rate, 1500, 6000) * np.hanning(
                int(0.07 * rate)
            )
            dsp.add(out, 0.25 * slide, int((at + 0.03) * rate))
        return out

    return dsp.one_shots(rng, n, rate, clip, 1.0, 3)


def blast(rng: np.random.Generator, rate: int, length_s: float) -> Signal:
    n = int(length_s * rate)
    noise = dsp.coloured(rng, n, -3)
    x = dsp.sweep_lowpass(noise, rate, 150 + 5000 * np.exp(-np.arange(n) / (0.18 * rate)), 1)
    x = dsp.unit(x) * dsp.decay(n, rate, 0.85 * length_s, 0.002)
    thump = dsp.sine(32 + 70 * np.exp(-np.arange(n) / (0.06 * rate)), n, rate) * dsp.decay(
        n, rate, 0.9, 0.002
    )
    rubble = dsp.bandpass(
        dsp.sparks(rng, n, rate, 120 * dsp.decay(n, rate, 2.5, 0.2), 3), 300, 3000, rate, 1
    )
    return dsp.drive(1.5 * x + 1.5 * thump, 1.5) + 1.5 * rubble


@kind(
    "explosion",
    "an explosion, a bomb exploding, a big explosion, a blast, a grenade exploding, a "
    "detonation, something blowing up, a massive explosion",
)
def explosion(rng: np.random.Generator, n: int, rate: int) -> Sound:
    far = dsp.chance(rng, 0.25)
    length = rng.uniform(1.8, 3.5)
    x = dsp.one_shots(rng, n, rate, lambda: blast(rng, rate, length), length, 2)
    x = dsp.room(rng, x, rate, 2.0, 0.2)
    return (dsp.lowpass(x, 350, rate) if far else x), {"distance": "far" if far else ""}


@kind(
    "fireworks",
    "fireworks, fireworks exploding, a firework display, firework rockets and bangs, fireworks "
    "crackling in the sky, new year's fireworks, a firework going off",
)
def fireworks(rng: np.random.Generator, n: int, rate: int) -> Signal:
    out = np.zeros(n)
    for time in dsp.scattered(rng, n / rate, rng.uniform(0.6, 1.4), 2):
        m, k = int(rng.uniform(0.5, 0.9) * rate), int(1.3 * rate)
        hz = dsp.curve(m, [(0, 1100), (1, 2600)]) * rng.uniform(0.8, 1.2)
        rocket = dsp.sine(hz * dsp.wander(rng, m, rate, 25, 0.98, 1.02), m, rate) * dsp.swell(
            m, rate, 0.1, 0.1
        )
        bang = dsp.unit(dsp.lowpass(dsp.white(rng, k), 500, rate) * dsp.decay(k, rate, 0.5, 0.001))
        sparkle = dsp.highpass(
            dsp.sparks(rng, k, rate, 250 * dsp.curve(k, [(0, 0), (0.25, 0), (0.4, 1), (1, 0)]), 2),
            1500,
            rate,
        )
        start = int(time * rate)
        dsp.add(out, 0.25 * rocket, start - m)
        dsp.add(out, bang, start, rng.uniform(0.6, 1))
        if dsp.chance(rng, 0.7):
            dsp.add(out, 2.0 * sparkle, start)
    return dsp.room(rng, out, rate, 1.8, 0.3)


@kind(
    "cannon",
    "a cannon firing, cannon fire, a cannon shot, artillery fire, a pirate ship cannon, a "
    "cannon blast",
)
def cannon(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(1.6 * rate)
        boom = dsp.lowpass(dsp.coloured(rng, m, -3), 260, rate, 3) * dsp.decay(m, rate, 1.3, 0.001)
        thump = dsp.sine(38 + 60 * np.exp(-np.arange(m) / (0.03 * rate)), m, rate) * dsp.decay(
            m, rate, 0.8
        )
        crack = dsp.white(rng, m) * dsp.decay(m, rate, 0.04, 0.0003)
        return dsp.drive(dsp.unit(boom) + 2 * thump + 0.5 * crack, 1.3)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 1.6, 2), rate, 2.2, 0.3)


def swish_clip(
    rng: np.random.Generator, rate: int, length_s: float, low: float, high: float, octaves: float
) -> Signal:
    n = int(length_s * rate)
    arc = np.sin(np.pi * np.linspace(0, 1, n)) ** 1.5
    return (
        dsp.unit(dsp.sweep_band(dsp.white(rng, n), rate, low + (high - low) * arc, octaves))
        * arc**1.5
    )


@kind(
    "whoosh",
    "a whoosh, a whooshing sound, something swooshing past, a swoosh, a fast whoosh, an airy "
    "whoosh, a cinematic whoosh transition",
)
def whoosh(rng: np.random.Generator, n: int, rate: int) -> Sound:
    length = dsp.log_uniform(rng, 0.3, 1.6)
    high = rng.uniform(900, 3000)
    x = dsp.one_shots(
        rng, n, rate, lambda: swish_clip(rng, rate, length, 200, high, 0.8), length, 4
    )
    return x, {"length": dsp.grade(length, 0.5, 1.0, ("short", "", "long"))}


@kind(
    "sword swish",
    "a sword swish, a blade cutting through the air, a sword being swung, swinging a sword, a "
    "swishing blade, a katana slash, a stick swung through the air",
)
def sword_swish(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        x = swish_clip(rng, rate, rng.uniform(0.16, 0.3), 900, rng.uniform(3500, 5500), 0.45)
        return x + 0.15 * dsp.sine(rng.uniform(3000, 4500), x.size, rate) * dsp.swell(
            x.size, rate, 0.05, 0.1
        )

    return dsp.place(n, rate, dsp.scattered(rng, n / rate, 0.9, 1), clip)


@kind(
    "sword clash",
    "swords clashing, a sword fight, blades clashing, two swords hitting each other, metal "
    "swords clanging, a knight's duel, fencing blades",
)
def sword_clash(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        hz = rng.uniform(1300, 2600)
        x = hit(rng, rate, hz, METAL, 0.7, 1.2, 7000, 0.4)
        scrape = dsp.sweep_band(dsp.white(rng, x.size), rate, np.linspace(3000, 5500, x.size), 0.3)
        if dsp.chance(rng, 0.4):
            x = x + 0.3 * dsp.unit(scrape) * dsp.decay(x.size, rate, 0.5, 0.05)
        return x * rng.uniform(0.6, 1)

    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.35, 0.8), 0.35), clip)


@kind(
    "sword drawn",
    "a sword being drawn, unsheathing a sword, drawing a blade, a sword pulled from its sheath, "
    "a knife being unsheathed, the ring of a drawn sword",
)
def sword_drawn(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(0.35, 0.6) * rate)
        scrape = dsp.sweep_band(dsp.white(rng, m), rate, dsp.curve(m, [(0, 2200), (1, 5500)]), 0.35)
        out = np.zeros(m + int(1.0 * rate))
        dsp.add(out, dsp.unit(scrape) * dsp.curve(m, [(0, 0), (0.3, 0.5), (1, 1)]), 0)
        ring = hit(rng, rate, rng.uniform(2300, 3200), (1, 1.41, 1.83, 2.2), 1.0, 0.0, 6000, 0.3)
        dsp.add(out, 0.5 * ring, int(0.8 * m))
        return out

    return dsp.one_shots(rng, n, rate, clip, 1.4, 2)


@kind(
    "arrow",
    "an arrow being shot, a bow and arrow, an arrow hitting a target, an archer shooting an "
    "arrow, an arrow flying and hitting wood, a bow being released",
)
def arrow(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        out = np.zeros(int(1.2 * rate))
        twang = dsp.string(rng, int(0.3 * rate), rate, rng.uniform(75, 120), 0.3, 0.6)
        dsp.add(out, 0.5 * twang, 0)
        dsp.add(out, 0.6 * swish_clip(rng, rate, 0.4, 1000, 3200, 0.5), int(0.03 * rate))
        thunk = hit(rng, rate, rng.uniform(170, 260), (1, 1.7, 2.6, 4), 0.14, 1.5, 4000)
        dsp.add(out, 2 * thunk, int(0.45 * rate))
        quiver = dsp.sine(rng.uniform(25, 40), int(0.4 * rate), rate) * dsp.sine(
            380, int(0.4 * rate), rate
        )
        dsp.add(out, 0.4 * quiver * dsp.decay(quiver.size, rate, 0.35), int(0.47 * rate))
        return out

    return dsp.one_shots(rng, n, rate, clip, 1.1, 3)


@kind(
    "whip crack",
    "a whip crack, a whip cracking, cracking a whip, the crack of a whip, a lash of a whip, a "
    "bullwhip",
)
def whip(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        swish = swish_clip(rng, rate, 0.3, 500, 2500, 0.6)
        m = int(0.25 * rate)
        crack = dsp.highpass(dsp.white(rng, m), 900, rate) * dsp.decay(m, rate, 0.06, 0.0003)
        return np.concatenate([0.35 * swish[: int(0.2 * rate)], 2.5 * crack])

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 0.5, 4), rate, 0.9, 0.2)


@kind(
    "punch",
    "a punch, someone being punched, a fist hitting, a fight with punches, a body blow, boxing "
    "punches, a hard punch",
)
def punch(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        out = np.zeros(int(0.5 * rate))
        dsp.add(out, 0.25 * swish_clip(rng, rate, 0.15, 300, 1500, 0.7), 0)
        m = int(0.25 * rate)
        thud = dsp.sine(65 + 70 * np.exp(-np.arange(m) / (0.02 * rate)), m, rate) * dsp.decay(
            m, rate, 0.2, 0.001
        )
        smack = dsp.bandpass(dsp.white(rng, m), 300, 3000, rate, 1) * dsp.decay(
            m, rate, 0.07, 0.0005
        )
        dsp.add(out, dsp.drive(1.5 * thud + 1.4 * smack, 2), int(0.11 * rate))
        return out

    return dsp.place(n, rate, dsp.scattered(rng, n / rate, rng.uniform(0.4, 1.6), 1), clip)


@kind(
    "slap",
    "a slap, a slap in the face, someone being slapped, a hand slapping skin, a hard slap, a smack",
)
def slap(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(0.15 * rate)
        x = dsp.bandpass(dsp.white(rng, m), 700, 4500, rate, 1) * dsp.decay(m, rate, 0.06, 0.0004)
        return x + 0.5 * dsp.sine(190, m, rate) * dsp.decay(m, rate, 0.06)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 0.3, 4), rate, 0.4, 0.2)


@kind(
    "ricochet",
    "a bullet ricochet, a ricochet, a bullet whizzing by, a ricocheting bullet, bullets "
    "whizzing past, a western movie ricochet",
)
def ricochet(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(0.6, 1.0) * rate)
        hz = rng.uniform(1800, 2800) * np.exp(-rng.uniform(0.8, 1.6) * np.arange(m) / rate)
        whine = dsp.wavetable(
            hz * dsp.wander(rng, m, rate, 30, 0.97, 1.03), np.array([1, 0.4, 0.2]), m, rate
        )
        x = whine * dsp.decay(m, rate, 0.9, 0.004)
        dsp.add(x, dsp.white(rng, 300) * np.linspace(1, 0, 300) ** 2, 0, 1.0)
        return x

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 0.9, 4), rate, 1.0, 0.2)


@kind(
    "bomb falling",
    "a bomb falling, a falling bomb whistle, a cartoon falling whistle, something falling from "
    "the sky, a descending whistle, a long falling whistle",
)
def bomb_falling(rng: np.random.Generator, n: int, rate: int) -> Signal:
    length = rng.uniform(1.6, 3.0)

    def clip() -> Signal:
        m = int(length * rate)
        hz = np.geomspace(rng.uniform(1800, 2600), rng.uniform(350, 600), m)
        return dsp.wavetable(
            dsp.vibrato(rng, hz, m, rate, 0.006, 7), np.array([1, 0.15, 0.05]), m, rate
        ) * dsp.swell(m, rate, 0.1, 0.05)

    return dsp.one_shots(rng, n, rate, clip, length, 1)
