"""Things that hit, break, fall and creak."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Sound, kind


def hit(
    rng: np.random.Generator,
    rate: int,
    hz: float,
    ratios: Sequence[float],
    t60_s: float,
    click: float = 0.4,
    click_hz: float = 3000.0,
    damping: float = 0.7,
) -> Signal:
    """A struck object: its modes, higher ones dying sooner, and the click of the contact."""
    ratios_ = np.asarray(ratios) * rng.uniform(0.97, 1.03, len(ratios))
    t60 = np.maximum(0.02, t60_s / ratios_**damping)
    amplitudes = rng.uniform(0.4, 1.0, ratios_.size) / ratios_**0.4
    n = int((max(t60_s, 0.06) + 0.05) * rate)
    out = dsp.modes(rng, n, rate, hz * ratios_, t60, amplitudes)
    length = min(n, int(0.03 * rate))
    noise = dsp.lowpass(dsp.white(rng, length), click_hz, rate, 1) * dsp.decay(
        length, rate, 0.02, 0.0006
    )
    out[:length] += click * noise
    return out


WOOD = (1.0, 1.6, 2.3, 3.2, 4.4, 6.1)


METAL = (1.0, 1.51, 2.09, 2.76, 3.58, 4.63, 5.4, 6.9, 8.3)


PLATE = (1.0, 2.04, 2.6, 3.9, 4.7, 5.9, 7.2, 9.1, 11.0)


@kind(
    "door slam",
    "a door slamming, a door slam, a slammed door, a door being slammed shut, someone slamming "
    "a door, a door banging shut, a heavy door closing",
)
def door_slam(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(65, 120)

    def clip() -> Signal:
        out = np.zeros(int(0.9 * rate))
        dsp.add(out, hit(rng, rate, hz, WOOD, 0.4, 2.0, 2500), int(0.03 * rate), 1.2)
        dsp.add(out, hit(rng, rate, 1500 * rng.uniform(0.8, 1.3), METAL[:4], 0.08), 0, 0.15)
        for _ in range(int(rng.integers(2, 6))):
            rattle = hit(rng, rate, rng.uniform(500, 1200), WOOD[:3], 0.07)
            dsp.add(out, rattle, int(rng.uniform(0.06, 0.25) * rate), 0.15)
        return out

    x = dsp.one_shots(rng, n, rate, clip, 0.9, 3)
    return dsp.room(rng, x, rate, rng.uniform(0.4, 1.0), 0.3)


@kind(
    "door knock",
    "knocking on a door, a knock at the door, someone knocking, a door knock, knocking on wood, "
    "three knocks on a door, a person knocking on a wooden door",
)
def door_knock(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz, gap = rng.uniform(140, 300), rng.uniform(0.13, 0.28)

    def clip() -> Signal:
        out = np.zeros(int((3 * gap + 0.4) * rate))
        for index in range(3):
            knock = hit(rng, rate, hz, WOOD, 0.13, 0.6, 1800)
            dsp.add(
                out, knock, int(index * gap * rng.uniform(0.95, 1.05) * rate), rng.uniform(0.7, 1)
            )
        return out

    return (dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 3 * gap + 0.5, 4), rate, 0.4, 0.2)), {
        "speed": dsp.grade(gap, 0.17, 0.23, ("fast", "", "slow"))
    }


@kind(
    "door creak",
    "a creaking door, a door creaking open, a squeaky door, a creaky hinge, an old door opening "
    "slowly, a haunted house door, a rusty hinge creaking",
)
def door_creak(rng: np.random.Generator, n: int, rate: int) -> Signal:
    length = rng.uniform(1.2, 2.6)
    peaks = [
        (rng.uniform(500, 900), 9, 1.0),
        (rng.uniform(1200, 1900), 12, 0.9),
        (rng.uniform(2400, 3500), 12, 0.5),
    ]

    def clip() -> Signal:
        m = int(length * rate)
        speed = dsp.wander(rng, m, rate, 3.5, 25, 190) * dsp.wander(rng, m, rate, 12, 0.75, 1.25)
        slips = dsp.firings(rng, speed, m, rate, 0.3, 1)
        return dsp.unit(dsp.body(slips, rate, peaks)) * dsp.swell(m, rate, 0.2, 0.3)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, length, 2), rate, 0.7, 0.2)


@kind(
    "hammering",
    "hammering, a hammer hitting a nail, someone hammering nails, a carpenter hammering, hammer "
    "blows on wood, construction hammering, nails being hammered",
)
def hammering(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz, nail = rng.uniform(160, 280), rng.uniform(2200, 3200)
    period = rng.uniform(0.3, 0.8)

    def clip() -> Signal:
        x = hit(rng, rate, hz, WOOD, 0.16, 1.0, 3500)
        dsp.add(x, hit(rng, rate, nail, METAL[:5], 0.16), 0, 0.5)
        return x

    x = dsp.place(n, rate, dsp.beat(rng, n / rate, period, 0.06), clip)
    return (dsp.room(rng, x, rate, 0.4, 0.15)), {
        "speed": dsp.grade(period, 0.42, 0.62, ("fast", "", "slow"))
    }


@kind(
    "sawing",
    "sawing wood, a hand saw, someone sawing, a saw cutting through wood, a carpenter sawing a "
    "plank, a handsaw going back and forth",
)
def sawing(rng: np.random.Generator, n: int, rate: int) -> Sound:
    per_second = rng.uniform(1.1, 2.2)
    p = dsp.cycles(per_second, n, rate, rng.random()) % 1.0
    push = np.sin(np.pi * np.clip(p / 0.5, 0, 1))
    pull = np.sin(np.pi * np.clip((p - 0.52) / 0.45, 0, 1))
    speed = 60 + 260 * np.maximum(push, 0.8 * pull)
    teeth = dsp.firings(rng, speed, n, rate, 0.5, 3)
    rasp = dsp.unit(dsp.body(teeth, rate, [(700, 2, 0.7), (1800, 2, 1.0), (3600, 2, 0.9)]))
    noise = dsp.sweep_band(dsp.white(rng, n), rate, 1500 + 8 * speed, 0.9)
    return ((rasp + dsp.unit(noise)) * (push + 0.6 * pull)), {
        "speed": dsp.grade(per_second, 1.4, 1.85, ("slow", "", "fast"))
    }


def shatter(rng: np.random.Generator, rate: int, shards: int) -> Signal:
    """Glass: a crack, then debris and ringing shards falling."""
    n = int(1.5 * rate)
    t = np.arange(n) / rate
    crack = dsp.highpass(dsp.white(rng, n), 900, rate) * dsp.decay(n, rate, 0.18, 0.0005)
    debris = dsp.sparks(rng, n, rate, 900 * np.exp(-4 * t), 2.5)
    out = 1.2 * crack + 3.0 * dsp.body(debris, rate, [(1600, 3, 1), (3200, 4, 1), (5600, 4, 0.8)])
    for _ in range(shards):
        hz = dsp.log_uniform(rng, 1200, 7000)
        t60 = rng.uniform(0.06, 0.3)
        piece = dsp.modes(rng, int(0.3 * rate), rate, [hz, hz * 1.47], [t60, 0.1], [1, 0.6])
        when = rng.exponential(0.22) if dsp.chance(rng, 0.8) else rng.uniform(0, 1.0)
        dsp.add(out, piece, int(when * rate), rng.uniform(0.1, 0.6) * np.exp(-1.2 * when))
    return out


@kind(
    "glass breaking",
    "glass breaking, a window shattering, breaking glass, shattering glass, a bottle smashing, "
    "glass shattering, a smashed window, a glass falling and breaking",
)
def glass_break(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return dsp.one_shots(
        rng, n, rate, lambda: shatter(rng, rate, int(rng.integers(40, 90))), 1.5, 3
    )


@kind(
    "wood cracking",
    "wood cracking, a branch snapping, a wooden stick breaking, wood splintering, a plank "
    "breaking, a tree branch cracking, timber snapping",
)
def wood_crack(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        out = np.zeros(int(0.7 * rate))
        for _ in range(int(rng.integers(4, 14))):
            snap = hit(rng, rate, rng.uniform(350, 1400), WOOD, 0.06, 1.5, 6000)
            dsp.add(out, snap, int(rng.exponential(0.07) * rate), rng.random() ** 2)
        dsp.add(out, hit(rng, rate, rng.uniform(280, 500), WOOD, 0.12, 2.5, 6000), int(0.12 * rate))
        return out

    return dsp.one_shots(rng, n, rate, clip, 0.7, 4)


@kind(
    "metal clang",
    "a metal clang, metal clanging, a metallic bang, metal hitting metal, a metal pipe falling, "
    "a clanging pipe, a piece of metal being struck",
)
def metal_clang(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz = dsp.log_uniform(rng, 200, 900)
    x = dsp.one_shots(rng, n, rate, lambda: hit(rng, rate, hz, METAL, 1.3, 0.8, 5000, 0.6), 1.3, 4)
    return x, {"pitch": dsp.grade(hz, 300, 600, ("low", "", "high"))}


@kind(
    "anvil",
    "a hammer on an anvil, a blacksmith hammering, an anvil being struck, an anvil, a "
    "blacksmith at work, hammering hot iron on an anvil",
)
def anvil(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(900, 1500)
    partials = (1.0, 2.31, 2.9, 3.72, 5.1)

    def clip() -> Signal:
        return hit(rng, rate, hz, partials, 1.1, 1.2, 6000, 0.5)

    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.45, 1.0), 0.07), clip)


@kind(
    "coin",
    "a coin dropping, a coin spinning on a table, a coin falling, a dropped coin, a coin "
    "landing on the floor, a coin bouncing and settling",
)
def coin(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(3000, 5200)

    def clip() -> Signal:
        out, t, gap, level = np.zeros(int(1.8 * rate)), 0.0, rng.uniform(0.22, 0.32), 1.0
        while gap > 0.012 and t < 1.6:
            ring = hit(rng, rate, hz, (1, 1.42, 1.9), 0.22, 0.3, 7000)
            dsp.add(out, ring, int(t * rate), level)
            t, gap, level = t + gap, gap * 0.78, level * 0.85
        return out

    return dsp.one_shots(rng, n, rate, clip, 1.7, 2)


@kind(
    "coins",
    "coins jingling, a handful of coins, loose change rattling, coins being poured, counting "
    "coins, a bag of coins",
)
def coins(rng: np.random.Generator, n: int, rate: int) -> Signal:
    clips = [
        hit(rng, rate, dsp.log_uniform(rng, 2600, 6000), (1, 1.42, 1.9), 0.12, 0.3, 7000)
        for _ in range(12)
    ]
    busy = dsp.wander(rng, n, rate, 2, 0, 1)
    out = np.zeros(n)
    for time in dsp.scattered(rng, n / rate, rng.uniform(14, 40), 8):
        at = int(time * rate)
        dsp.add(out, dsp.pick(rng, clips), at, (0.1 + busy[at]) * rng.uniform(0.3, 1))
    return out


@kind(
    "keys jingling",
    "keys jingling, a bunch of keys, a jingling keyring, someone shaking keys, car keys "
    "rattling, jangling keys, keys clinking together",
)
def keys(rng: np.random.Generator, n: int, rate: int) -> Signal:
    clips = [
        hit(
            rng,
            rate,
            dsp.log_uniform(rng, 2200, 6500),
            METAL[:5],
            rng.uniform(0.04, 0.15),
            0.5,
            7000,
        )
        for _ in range(14)
    ]
    shakes = 4 * dsp.gate(n, rate, rng.uniform(2.0, 4.5), 0.5, 0.05) + 0.3
    out = np.zeros(n)
    for time in dsp.scattered(rng, n / rate, 55, 20):
        at = int(time * rate)
        dsp.add(out, dsp.pick(rng, clips), at, shakes[at] * rng.random() ** 2)
    rub = dsp.highpass(dsp.white(rng, n), 3000, rate) * shakes
    return out + rng.uniform(0.005, 0.03) * rub


@kind(
    "ball bouncing",
    "a ball bouncing, a bouncing ball, a basketball dribbling, a ball dropped on the floor, a "
    "rubber ball bouncing, dribbling a basketball",
)
def ball(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(70, 130)

    def bounce() -> Signal:
        thud = hit(rng, rate, hz, (1, 1.9, 2.7, 4.2), 0.16, 0.8, 1500)
        dsp.add(thud, hit(rng, rate, hz * 7.5, (1, 1.4), 0.12, 0.0), 0, 0.15)
        return thud

    if dsp.chance(rng, 0.5):
        return dsp.room(
            rng,
            dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.35, 0.75), 0.05), bounce),
            rate,
            0.9,
            0.2,
        )
    out, t, gap = np.zeros(n), rng.uniform(0.05, 0.6), rng.uniform(0.6, 0.9)
    while gap > 0.03 and t < n / rate:
        dsp.add(out, bounce(), int(t * rate), gap)
        t, gap = t + gap, gap * 0.8
    return out


@kind(
    "dice",
    "dice rolling, rolling dice, dice thrown on a table, a pair of dice, dice rattling and "
    "rolling, throwing dice",
)
def dice(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(1300, 2200)

    def clip() -> Signal:
        out, t = np.zeros(int(1.2 * rate)), 0.0
        while t < 0.9:
            dsp.add(
                out,
                hit(rng, rate, hz * rng.uniform(0.8, 1.25), WOOD[:4], 0.05, 0.8, 5000),
                int(t * rate),
                np.exp(-2 * t) * rng.uniform(0.4, 1),
            )
            t += rng.uniform(0.015, 0.12)
        return out

    return dsp.one_shots(rng, n, rate, clip, 1.2, 3)


@kind(
    "crash",
    "a loud crash, a car crash, things crashing down, a pile of objects collapsing, a vehicle "
    "collision, a crash with debris, metal and glass crashing",
)
def crash(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        out = np.zeros(int(2.2 * rate))
        m = int(0.8 * rate)
        dsp.add(out, dsp.coloured(rng, m, -2) * dsp.decay(m, rate, 0.7, 0.003), 0, 0.7)
        dsp.add(out, hit(rng, rate, 75, PLATE, 0.6, 1.0), 0, 1.5)
        for _ in range(22):
            when = rng.exponential(0.25)
            piece = hit(
                rng, rate, dsp.log_uniform(rng, 180, 1800), METAL, rng.uniform(0.1, 0.5), 0.8, 5000
            )
            dsp.add(out, piece, int(when * rate), 0.6 * np.exp(-1.5 * when))
        dsp.add(out, shatter(rng, rate, 25), int(0.03 * rate), 0.5)
        return out

    return dsp.one_shots(rng, n, rate, clip, 2.2, 1)
