"""The house: clocks, switches, locks, cleaning."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.impacts import METAL, WOOD, hit
from engine.training.sounds.kinds import Sound, kind


@kind(
    "clock ticking",
    "a clock ticking, a ticking clock, the tick-tock of a clock, a wall clock, a pocket watch "
    "ticking, an old clock, tick tock, a grandfather clock ticking",
)
def clock(rng: np.random.Generator, n: int, rate: int) -> Sound:
    period = dsp.pick(rng, (1.0, 0.5, 0.5, 0.25, 0.2))
    hz = dsp.log_uniform(rng, 900, 3200)
    tick, tock = (
        hit(rng, rate, hz * r, WOOD[:5], rng.uniform(0.03, 0.08), 0.8, 6000) for r in (1.0, 0.82)
    )
    out = np.zeros(n)
    for index, time in enumerate(dsp.beat(rng, n / rate, period, 0.002)):
        dsp.add(out, tock if index % 2 else tick, int(time * rate))
    if dsp.chance(rng, 0.4):
        out = dsp.room(rng, out, rate, 0.6, 0.2)
    return out, {"speed": dsp.grade(period, 0.3, 0.8, ("fast", "", "slow"))}


@kind(
    "grandfather clock",
    "a grandfather clock striking, a clock chiming the hour, a clock striking twelve, a chiming "
    "clock, westminster chimes, the chimes of a clock",
)
def clock_chime(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(280, 420)
    melody = (1.26, 1.122, 1.0, 0.75) if dsp.chance(rng, 0.5) else (0.75,)

    def strike(ratio: float) -> Signal:
        return dsp.modes(
            rng,
            int(2.5 * rate),
            rate,
            [hz * ratio * r for r in (1, 2.0, 2.76, 3.9, 5.4)],
            [2.5, 1.8, 1.2, 0.7, 0.4],
            [1, 0.5, 0.5, 0.3, 0.2],
        )

    out = np.zeros(n)
    for index, time in enumerate(dsp.beat(rng, n / rate, rng.uniform(0.7, 1.2), 0.01)):
        dsp.add(out, strike(melody[index % len(melody)]), int(time * rate))
    return dsp.room(rng, out, rate, 1.0, 0.2)


@kind(
    "light switch",
    "a light switch, a switch being flipped, a light switch being turned on, flicking a switch, "
    "a toggle switch, the click of a light switch",
)
def light_switch(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(700, 1400)
    x = dsp.one_shots(
        rng,
        n,
        rate,
        lambda: hit(rng, rate, hz * rng.uniform(0.9, 1.1), WOOD, 0.06, 2.0, 6000),
        0.4,
        4,
    )
    return dsp.room(rng, x, rate, 0.5, 0.15)


@kind(
    "cash register",
    "a cash register, a cash register opening, ka-ching, a till ringing up a sale, an old cash "
    "register, the ka-ching of a cash register",
)
def cash_register(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        out = np.zeros(int(1.8 * rate))
        for at in (0.0, 0.09, 0.2):
            dsp.add(
                out,
                hit(rng, rate, rng.uniform(500, 900), METAL[:6], 0.08, 1.5, 5000),
                int(at * rate),
                0.7,
            )
        bell = dsp.modes(
            rng,
            int(1.1 * rate),
            rate,
            [2150, 2170, 4500, 6600],
            [1.1, 1.0, 0.6, 0.3],
            [1, 0.7, 0.5, 0.3],
        )
        dsp.add(out, bell, int(0.3 * rate))
        for _ in range(8):
            dsp.add(
                out,
                hit(rng, rate, rng.uniform(2600, 5500), (1, 1.42), 0.1, 0.4, 7000),
                int(rng.uniform(0.45, 0.8) * rate),
                0.3,
            )
        dsp.add(out, hit(rng, rate, 130, WOOD, 0.2, 1.0), int(0.75 * rate), 0.8)
        return out

    return dsp.one_shots(rng, n, rate, clip, 1.6, 2)


@kind(
    "balloon pop",
    "a balloon popping, a balloon bursting, a popped balloon, the bang of a balloon, a burst "
    "balloon, someone popping a balloon",
)
def balloon(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(0.12 * rate)
        return dsp.highpass(dsp.white(rng, m), 250, rate) * dsp.decay(
            m, rate, 0.07, 0.0002
        ) + 0.5 * dsp.sine(330, m, rate) * dsp.decay(m, rate, 0.06)

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 0.3, 2), rate, 0.8, 0.25)


@kind(
    "lock",
    "a key turning in a lock, unlocking a door, a door being unlocked, a lock clicking, locking "
    "a door, a deadbolt turning, a padlock being opened",
)
def lock(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        out, t = np.zeros(int(1.4 * rate)), 0.0
        for _ in range(int(rng.integers(4, 8))):
            dsp.add(
                out,
                hit(rng, rate, rng.uniform(2200, 4500), METAL[:4], 0.04, 1.0, 7000),
                int(t * rate),
                0.35,
            )
            t += rng.uniform(0.03, 0.12)
        dsp.add(
            out,
            hit(rng, rate, rng.uniform(500, 900), METAL[:6], 0.12, 2.0, 5000),
            int((t + 0.1) * rate),
        )
        return out

    return dsp.one_shots(rng, n, rate, clip, 1.2, 3)


@kind(
    "spray can",
    "a spray can, spraying paint, an aerosol spray, graffiti spray paint, hairspray, an aerosol "
    "can being sprayed",
)
def spray(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(0.3, 1.2) * rate)
        return dsp.unit(dsp.highpass(dsp.white(rng, m), 3200, rate, 3)) * dsp.swell(
            m, rate, 0.015, 0.03
        )

    out = dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(1.2, 2.0), 0.2), clip)
    if dsp.chance(rng, 0.4):
        rattle = dsp.place(
            n, rate, np.arange(0.0, 0.9, 0.11), lambda: hit(rng, rate, 2300, METAL[:4], 0.06, 1.0)
        )
        out = 0.9 * rattle + out * (np.arange(n) > 1.0 * rate)
    return out


@kind(
    "brushing teeth",
    "someone brushing their teeth, a toothbrush, brushing teeth, scrubbing with a brush, a "
    "brush scrubbing, cleaning teeth with a toothbrush",
)
def brushing(rng: np.random.Generator, n: int, rate: int) -> Signal:
    per_second = rng.uniform(3.2, 5.5)
    p = dsp.cycles(per_second * dsp.wander(rng, n, rate, 1, 0.9, 1.1), n, rate)
    speed = np.abs(np.sin(np.pi * p))
    x = dsp.sweep_band(
        dsp.white(rng, n),
        rate,
        np.where(np.floor(p) % 2 == 0, 3200.0, 2300.0) * (0.6 + 0.5 * speed),
        0.5,
    )
    return x * speed


@kind(
    "sweeping",
    "sweeping the floor, a broom sweeping, someone sweeping with a broom, a broom on the floor, "
    "brushing up leaves with a broom, sweeping up",
)
def sweeping(rng: np.random.Generator, n: int, rate: int) -> Signal:
    p = dsp.cycles(rng.uniform(0.9, 1.6), n, rate, rng.random()) % 1.0
    level = np.clip(np.sin(np.pi * p / 0.6), 0, 1) * (p < 0.6)
    x = dsp.sweep_band(dsp.white(rng, n), rate, 1300 + 2500 * level, 0.8)
    return x * level + 0.4 * level * dsp.bandpass(
        dsp.sparks(rng, n, rate, 500, 3), 1500, 6000, rate
    )
