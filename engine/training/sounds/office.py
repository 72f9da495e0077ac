"""Keyboards, paper, cameras and other things of an office."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.impacts import METAL, WOOD, hit
from engine.training.sounds.kinds import kind


@kind(
    "typing",
    "typing on a keyboard, someone typing, a computer keyboard, keyboard typing, fingers on a "
    "keyboard, a person typing quickly, keys being pressed on a keyboard",
)
def typing(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(1300, 2600)
    clips = [
        hit(rng, rate, hz * rng.uniform(0.8, 1.25), (1, 1.6, 2.4), 0.03, 1.2, 5500)
        for _ in range(8)
    ]
    low = hit(rng, rate, hz * 0.35, WOOD[:4], 0.07, 1.0, 3000)
    out, t = np.zeros(n), rng.uniform(0, 0.3)
    while t < n / rate:
        for _ in range(int(rng.integers(3, 14))):
            dsp.add(out, dsp.pick(rng, clips), int(t * rate), rng.uniform(0.5, 1))
            dsp.add(out, dsp.pick(rng, clips), int((t + 0.07) * rate), rng.uniform(0.1, 0.3))
            t += rng.uniform(0.07, 0.2)
        dsp.add(out, low, int(t * rate), 0.8)
        t += rng.uniform(0.15, 0.6)
    return out


@kind(
    "typewriter",
    "a typewriter, typing on an old typewriter, a mechanical typewriter, typewriter keys "
    "clacking, someone typing on a typewriter, a vintage typewriter with its bell",
)
def typewriter(rng: np.random.Generator, n: int, rate: int) -> Signal:
    clips = [hit(rng, rate, rng.uniform(600, 900), METAL[:6], 0.07, 2.0, 6000) for _ in range(6)]
    bell = dsp.modes(rng, int(0.9 * rate), rate, [2300, 5200], [0.9, 0.4], [1, 0.3])
    out, t = np.zeros(n), rng.uniform(0, 0.3)
    ring = rng.uniform(0.3, 0.9) * n / rate
    while t < n / rate:
        dsp.add(out, dsp.pick(rng, clips), int(t * rate), rng.uniform(0.6, 1))
        t += rng.uniform(0.09, 0.24)
        if ring and t > ring:
            dsp.add(out, bell, int(t * rate), 0.9)
            zip_ = dsp.body(
                dsp.firings(rng, 45, int(0.5 * rate), rate, 0.2), rate, [(1200, 3, 1), (2600, 3, 1)]
            )
            dsp.add(out, 0.5 * dsp.peak(zip_), int((t + 0.4) * rate))
            t, ring = t + 1.1, 0.0
    return out


@kind(
    "mouse click",
    "a mouse click, clicking a computer mouse, mouse clicks, someone clicking a mouse, a "
    "computer mouse being clicked, the click of a mouse",
)
def mouse_click(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(2400, 4200)

    def clip() -> Signal:
        out = np.zeros(int(0.5 * rate))
        for at in (0.0, 0.18) if dsp.chance(rng, 0.4) else (0.0,):
            dsp.add(out, hit(rng, rate, hz, (1, 1.5, 1.9), 0.02, 1.0, 7000), int(at * rate))
            dsp.add(
                out,
                hit(rng, rate, hz * 0.85, (1, 1.5, 1.9), 0.02, 0.8, 7000),
                int((at + 0.09) * rate),
                0.6,
            )
        return out

    return dsp.place(n, rate, dsp.scattered(rng, n / rate, rng.uniform(0.4, 1.4), 1), clip)


@kind(
    "camera shutter",
    "a camera shutter, a camera click, someone taking a photo, a photo being taken, a camera "
    "taking pictures, an SLR shutter, paparazzi cameras",
)
def camera(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(900, 1800)

    def clip() -> Signal:
        out = np.zeros(int(0.4 * rate))
        dsp.add(out, hit(rng, rate, hz, METAL[:5], 0.05, 2.0, 7000), 0)
        slide = dsp.band_noise(rng, int(0.06 * rate), rate, 1500, 6000) * np.hanning(
            int(0.06 * rate)
        )
        dsp.add(out, 0.3 * slide, int(0.02 * rate))
        dsp.add(
            out,
            hit(rng, rate, hz * 0.75, METAL[:5], 0.06, 1.6, 6000),
            int(rng.uniform(0.08, 0.13) * rate),
            0.8,
        )
        return out

    return dsp.place(n, rate, dsp.scattered(rng, n / rate, rng.uniform(0.3, 1.6), 1), clip)


def rustle(
    rng: np.random.Generator, n: int, rate: int, busy: Signal, low: float, high: float
) -> Signal:
    creases = dsp.sparks(rng, n, rate, 500 * busy, 4)
    x = dsp.unit(dsp.bandpass(creases, low, high, rate, 1))
    return x + 0.12 * busy * dsp.band_noise(rng, n, rate, low, high)


@kind(
    "paper crumpling",
    "paper being crumpled, crumpling paper, someone crumpling a sheet of paper, a paper ball "
    "being crushed, paper scrunching, rustling paper, a crisp packet rustling",
)
def crumple(rng: np.random.Generator, n: int, rate: int) -> Signal:
    busy = np.clip(dsp.wander(rng, n, rate, 3, -0.6, 1.0), 0.01, 1)
    return rustle(rng, n, rate, busy, 1400, 6500)


@kind(
    "page turning",
    "a page being turned, turning the pages of a book, flipping through a book, a page turn, "
    "someone leafing through a book, pages flipping",
)
def page(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(0.3, 0.55) * rate)
        sweep = dsp.sweep_band(
            dsp.white(rng, m), rate, dsp.curve(m, [(0, 1800), (0.6, 4000), (1, 2500)]), 0.7
        )
        flap = dsp.lowpass(dsp.white(rng, m), 900, rate) * dsp.curve(
            m, [(0, 0), (0.75, 0), (0.8, 1), (1, 0)]
        )
        return dsp.unit(sweep) * np.hanning(m) * dsp.wander(rng, m, rate, 40, 0.5, 1) + 0.5 * flap

    return dsp.place(n, rate, dsp.scattered(rng, n / rate, rng.uniform(0.4, 1.4), 1), clip)


@kind(
    "tearing paper",
    "paper being torn, tearing paper, ripping a sheet of paper, someone ripping paper, cloth "
    "being torn, a rip, tearing fabric",
)
def tearing(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(0.3, 1.1) * rate)
        speed = dsp.curve(m, [(0, 150), (0.5, 500), (1, 900)]) * dsp.wander(
            rng, m, rate, 10, 0.6, 1.4
        )
        rips = dsp.bandpass(dsp.firings(rng, speed, m, rate, 0.6, 1), 1200, 7000, rate, 1)
        return (dsp.unit(rips) + 0.6 * dsp.band_noise(rng, m, rate, 1500, 7000)) * dsp.curve(
            m, [(0, 0), (0.1, 0.6), (0.9, 1), (1, 0)]
        )

    return dsp.one_shots(rng, n, rate, clip, 1.0, 3)


@kind(
    "scissors",
    "scissors cutting, a pair of scissors, cutting paper with scissors, snipping scissors, a "
    "haircut with scissors, scissors snipping",
)
def scissors(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def snip() -> Signal:
        m = int(rng.uniform(0.16, 0.26) * rate)
        blade = dsp.sweep_band(dsp.white(rng, m), rate, np.linspace(3200, 5800, m), 0.35)
        x = dsp.unit(blade) * dsp.curve(m, [(0, 0), (0.3, 0.5), (0.9, 1), (1, 0)])
        out = np.zeros(m + int(0.1 * rate))
        dsp.add(out, 0.5 * x, 0)
        dsp.add(out, hit(rng, rate, 3300, METAL[:4], 0.05, 1.0, 7000), m - 10)
        return out

    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.4, 0.8), 0.12), snip)


@kind(
    "writing",
    "writing with a pencil, a pencil on paper, someone writing on paper, a pen scribbling, "
    "scribbling notes, pencil scratching on paper, sketching with a pencil",
)
def writing(rng: np.random.Generator, n: int, rate: int) -> Signal:
    stroke = np.clip(dsp.wander(rng, n, rate, 9, -0.4, 1), 0, 1)
    pause = dsp.lowpass((dsp.wander(rng, n, rate, 1.5, 0, 1) > 0.25) * 1.0, 20, rate, 1)
    x = dsp.sweep_band(dsp.white(rng, n), rate, 1500 + 2500 * stroke, 0.6)
    return x * stroke * pause * (0.6 + 0.4 * dsp.wander(rng, n, rate, 120, 0, 1))


@kind(
    "printer",
    "a printer, an inkjet printer printing, an office printer, a document being printed, a "
    "printer at work, a dot matrix printer, a copy machine",
)
def printer(rng: np.random.Generator, n: int, rate: int) -> Signal:
    p = dsp.cycles(rng.uniform(0.8, 1.5), n, rate, rng.random()) % 1.0
    moving = np.clip(np.sin(np.pi * p / 0.8), 0, 1) ** 0.4 * (p < 0.8)
    motor = dsp.wavetable(
        rng.uniform(280, 520) * (0.6 + 0.4 * moving), dsp.saw_amplitudes(14, 0.8), n, rate
    )
    jets = dsp.bandpass(dsp.firings(rng, rng.uniform(90, 220), n, rate, 0.4), 1500, 6500, rate, 1)
    feed = dsp.place(
        n, rate, dsp.beat(rng, n / rate, 1.8, 0.05), lambda: hit(rng, rate, 420, WOOD, 0.1, 1.0)
    )
    return (dsp.unit(motor) * 0.6 + dsp.unit(jets)) * moving + 0.6 * dsp.peak(feed)
