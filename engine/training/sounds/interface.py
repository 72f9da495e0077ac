"""Sounds of user interfaces, computers and video games."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.impacts import hit
from engine.training.sounds.kinds import Sound, kind

TIMBRES = (
    np.array([1.0]),
    np.array([1, 0.3, 0.1]),
    np.array([1, 0, 0.33, 0, 0.2]),
    np.array([1, 0.1, 0.3, 0.05]),
)


def blip(
    rng: np.random.Generator, rate: int, hz: float, length_s: float, timbre: Signal, t60_s: float
) -> Signal:
    n = int(length_s * rate)
    return (
        dsp.wavetable(hz, timbre, n, rate)
        * dsp.decay(n, rate, t60_s, 0.004)
        * dsp.swell(n, rate, 0.002, 0.01)
    )


def jingle(
    rng: np.random.Generator,
    rate: int,
    root: float,
    degrees: Sequence[float],
    step_s: float,
    timbre: Signal,
    t60_s: float = 0.5,
) -> Signal:
    """Notes at semitones over `root`, one after the other."""
    out = np.zeros(int((len(degrees) * step_s + t60_s) * rate))
    for index, degree in enumerate(degrees):
        note = blip(rng, rate, root * 2 ** (degree / 12), t60_s, timbre, t60_s)
        dsp.add(out, note, int(index * step_s * rate))
    return out


@kind(
    "ui click",
    "a UI click, a button click in an app, a user interface click, a soft interface tap, a menu "
    "click, a button press sound, a short interface tick",
)
def ui_click(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz, t60 = dsp.log_uniform(rng, 700, 3500), rng.uniform(0.02, 0.08)
    if dsp.chance(rng, 0.5):
        return dsp.one_shots(
            rng, n, rate, lambda: blip(rng, rate, hz, 0.1, TIMBRES[1], t60), 0.3, 6
        )
    return dsp.one_shots(
        rng, n, rate, lambda: hit(rng, rate, hz, (1, 1.6, 2.4), t60, 0.6, 6000), 0.3, 6
    )


@kind(
    "success chime",
    "a success sound, a success chime, a positive notification, a task completed sound, a "
    "cheerful confirmation chime, a level complete jingle, a correct answer sound",
)
def success(rng: np.random.Generator, n: int, rate: int) -> Signal:
    degrees = dsp.pick(
        rng, ((0, 4, 7, 12), (0, 7, 12), (0, 5), (0, 4, 7), (0, 2, 4, 7, 12), (7, 12))
    )
    root, step, timbre = rng.uniform(450, 900), rng.uniform(0.07, 0.14), dsp.pick(rng, TIMBRES)
    return dsp.one_shots(
        rng, n, rate, lambda: jingle(rng, rate, root, degrees, step, timbre, 0.7), 1.3, 3
    )


@kind(
    "error sound",
    "an error sound, an error beep, a wrong answer sound, a negative interface sound, an access "
    "denied sound, a failure sound in an app, a computer error",
)
def error(rng: np.random.Generator, n: int, rate: int) -> Signal:
    degrees = dsp.pick(rng, ((0, -3), (0, 0), (0, -5), (0, -1, -2), (-6, -12)))
    root, step = rng.uniform(160, 380), rng.uniform(0.14, 0.22)
    timbre = dsp.pick(rng, (dsp.square_amplitudes(20), dsp.saw_amplitudes(20)))

    def clip() -> Signal:
        out = np.zeros(int((len(degrees) * step + 0.2) * rate))
        for index, degree in enumerate(degrees):
            m = int(step * 0.85 * rate)
            note = dsp.wavetable(root * 2 ** (degree / 12), timbre, m, rate) * dsp.swell(
                m, rate, 0.005, 0.02
            )
            dsp.add(out, note, int(index * step * rate))
        return dsp.lowpass(out, 3500, rate)

    return dsp.one_shots(rng, n, rate, clip, 0.8, 3)


@kind(
    "notification",
    "a notification sound, a message notification, a phone notification, a text message alert, "
    "a notification ping, an incoming message sound, a soft notification bell",
)
def notification(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(700, 1700)
    bell = dsp.chance(rng, 0.5)
    degrees = dsp.pick(rng, ((0,), (0, 5), (4, 0), (0, 4), (0, 12)))

    def clip() -> Signal:
        if not bell:
            return jingle(rng, rate, hz, degrees, 0.12, TIMBRES[1], 0.6)
        out = np.zeros(int(1.4 * rate))
        for index, degree in enumerate(degrees):
            f = hz * 2 ** (degree / 12)
            dsp.add(
                out,
                dsp.modes(
                    rng, int(1.1 * rate), rate, [f, 2.76 * f, 2 * f], [1.1, 0.4, 0.6], [1, 0.3, 0.2]
                ),
                int(0.12 * index * rate),
            )
        return out

    return dsp.one_shots(rng, n, rate, clip, 1.2, 3)


@kind(
    "computer beeps",
    "computer beeps, an old computer calculating, sci-fi computer beeps, a computer processing "
    "data, random computer bleeps, a control panel beeping, a retro computer beeping",
)
def computer_beeps(rng: np.random.Generator, n: int, rate: int) -> Signal:
    step = rng.uniform(0.06, 0.14)
    pitches = np.exp(rng.uniform(np.log(600), np.log(3200), 7))
    timbre = dsp.pick(rng, TIMBRES)
    out = np.zeros(n)
    for time in np.arange(rng.uniform(0, 0.2), n / rate, step):
        if dsp.chance(rng, 0.75):
            m = int(step * rng.uniform(0.4, 0.95) * rate)
            dsp.add(
                out,
                dsp.wavetable(dsp.pick(rng, pitches), timbre, m, rate)
                * dsp.swell(m, rate, 0.003, 0.006),
                int(time * rate),
            )
    return out


@kind(
    "heart monitor",
    "a heart monitor, a hospital monitor beeping, an ECG machine, a steady medical beep, "
    "hospital equipment beeping, a patient monitor, a life support machine beeping",
)
def heart_monitor(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz, period = rng.uniform(850, 1200), rng.uniform(0.6, 1.2)
    m = int(0.11 * rate)
    beep = dsp.sine(hz, m, rate) * dsp.swell(m, rate, 0.006, 0.01)
    out = dsp.place(n, rate, dsp.beat(rng, n / rate, period, 0.005), lambda: beep)
    if dsp.chance(rng, 0.2):
        flat = int(rng.uniform(0.45, 0.7) * n)
        out[flat:] = dsp.sine(hz, n - flat, rate)
    return (out + 0.01 * dsp.lowpass(dsp.coloured(rng, n, -3), 900, rate)), {
        "speed": dsp.grade(period, 0.75, 1.02, ("fast", "", "slow"))
    }


@kind(
    "barcode scanner",
    "a barcode scanner, a supermarket checkout beep, a scanner beep, items scanned at a "
    "checkout, a cashier scanning groceries, a till scanner beeping",
)
def barcode(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz, m = rng.uniform(1900, 2900), int(rng.uniform(0.08, 0.14) * rate)
    beep = dsp.square(hz, m, rate) * dsp.swell(m, rate, 0.002, 0.004)
    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.8, 1.8), 0.25), lambda: beep)


@kind(
    "power up",
    "a power up sound, a machine powering up, a system starting up, an energy charge-up, a "
    "rising power-up, a device charging and turning on, a sci-fi engine starting",
)
def power_up(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return _power(rng, n, rate, True)


@kind(
    "power down",
    "a power down sound, a machine powering down, a system shutting down, a falling power-down, "
    "an engine winding down, electronics switching off, energy draining away",
)
def power_down(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return _power(rng, n, rate, False)


def _power(rng: np.random.Generator, n: int, rate: int, up: bool) -> Signal:
    length = rng.uniform(1.0, 3.0)

    def clip() -> Signal:
        m = int(length * rate)
        low, high = rng.uniform(40, 90), rng.uniform(500, 1400)
        hz = np.geomspace(low, high, m) if up else np.geomspace(high, low, m)
        x = dsp.wavetable(hz, dsp.saw_amplitudes(30, 1.0), m, rate) + dsp.wavetable(
            hz * 1.01, dsp.saw_amplitudes(30, 1.0), m, rate
        )
        x = dsp.sweep_lowpass(x, rate, 3 * hz + 200, 2) * (
            1 + 0.3 * dsp.sine(np.linspace(4, 16, m) if up else np.linspace(16, 3, m), m, rate)
        )
        return x * (dsp.swell(m, rate, 0.3, 0.1) if up else dsp.swell(m, rate, 0.02, 0.5))

    return dsp.one_shots(rng, n, rate, clip, length, 2)


def chip(
    rng: np.random.Generator,
    rate: int,
    points: list[tuple[float, float]],
    length_s: float,
    t60_s: float,
) -> Signal:
    """One tone of an 8-bit sound chip with a pitch that jumps or slides."""
    n = int(length_s * rate)
    timbre = dsp.pulse_amplitudes(dsp.pick(rng, (0.125, 0.25, 0.5)), 40)
    return (
        dsp.wavetable(dsp.curve(n, points), timbre, n, rate)
        * dsp.decay(n, rate, t60_s, 0.001)
        * dsp.swell(n, rate, 0.001, 0.01)
    )


@kind(
    "video game jump",
    "a video game jump sound, an 8-bit jump, a retro platform game jump, a character jumping in "
    "a video game, a cartoon boing jump, an arcade jump effect",
)
def game_jump(rng: np.random.Generator, n: int, rate: int) -> Signal:
    low, length = rng.uniform(180, 350), rng.uniform(0.18, 0.35)
    return dsp.one_shots(
        rng,
        n,
        rate,
        lambda: chip(rng, rate, [(0, low), (0.2, low * 1.2), (1, low * 3)], length, 0.6),
        0.6,
        5,
    )


@kind(
    "video game coin",
    "a video game coin, collecting a coin in a video game, an 8-bit coin pickup, a retro game "
    "coin sound, an arcade pickup sound, a bonus item collected in a game",
)
def game_coin(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(750, 1100)

    def clip() -> Signal:
        first = chip(rng, rate, [(0, hz), (1, hz)], 0.07, 2)
        return np.concatenate(
            [first, chip(rng, rate, [(0, hz * 1.335), (1, hz * 1.335)], 0.5, 0.6)]
        )

    return dsp.one_shots(rng, n, rate, clip, 0.7, 5)


@kind(
    "game over",
    "a game over sound, a video game losing sound, a sad 8-bit jingle, a retro game death "
    "sound, losing a life in a video game, a falling chiptune melody",
)
def game_over(rng: np.random.Generator, n: int, rate: int) -> Signal:
    root, step = rng.uniform(350, 600), rng.uniform(0.14, 0.24)

    def clip() -> Signal:
        parts = []
        for degree in (0, -1, -2, -3) if dsp.chance(rng, 0.5) else (0, -4, -7, -12):
            f = root * 2 ** (degree / 12)
            parts.append(chip(rng, rate, [(0, f), (1, f * 0.98)], step, 1.0))
        return np.concatenate([*parts, chip(rng, rate, [(0, f), (1, f * 0.55)], 0.6, 1.0)])

    return dsp.one_shots(rng, n, rate, clip, 1.6, 2)


@kind(
    "chiptune",
    "chiptune music, 8-bit music, retro video game music, an 8-bit melody, old console game "
    "music, a chiptune melody, arcade game music",
)
def chiptune(rng: np.random.Generator, n: int, rate: int) -> Sound:
    step, root = rng.uniform(0.09, 0.17), rng.uniform(220, 440)
    scale = (0, 2, 4, 7, 9, 12, 14, 16) if dsp.chance(rng, 0.6) else (0, 3, 5, 7, 10, 12, 15, 17)
    melody = rng.integers(0, 8, 16)
    out = np.zeros(n)
    for index, time in enumerate(np.arange(0, n / rate, step)):
        f = root * 2 ** (scale[melody[index % 16]] / 12)
        bass = root / 4 * 2 ** ((0, 5, 7, 0)[(index // 8) % 4] / 12)
        dsp.add(out, chip(rng, rate, [(0, f), (1, f)], step * 0.95, 0.7), int(time * rate), 0.6)
        if index % 2 == 0:
            dsp.add(
                out, chip(rng, rate, [(0, bass), (1, bass)], step * 1.8, 2.0), int(time * rate), 0.7
            )
        if index % 4 == 2:
            m = int(0.08 * rate)
            dsp.add(
                out,
                np.repeat(dsp.white(rng, m // 2 + 1), 2)[:m] * dsp.decay(m, rate, 0.1),
                int(time * rate),
                0.4,
            )
    return out, {"speed": dsp.grade(step, 0.11, 0.145, ("fast", "", "slow"))}


@kind(
    "modem",
    "a dial-up modem, a modem connecting, an old internet modem, a fax machine, dial-up "
    "internet noises, a modem handshake",
)
def modem(rng: np.random.Generator, n: int, rate: int) -> Signal:
    out, t = np.zeros(n), 0.0
    while t < n / rate:
        m = int(rng.uniform(0.25, 0.8) * rate)
        style = int(rng.integers(4))
        if style == 0:
            x = dsp.sine(rng.choice((1100.0, 2100.0, 980.0)), m, rate)
        elif style == 1:
            bits = np.repeat(rng.choice((1270.0, 2225.0, 1070.0), m // 50 + 1), 50)[:m]
            x = dsp.sine(bits, m, rate)
        elif style == 2:
            x = dsp.unit(dsp.bandpass(dsp.white(rng, m), 600, 3200, rate, 3))
        else:
            x = dsp.sine(1800.0, m, rate) * np.sign(
                dsp.sine(rng.uniform(10, 60), m, rate)
            ) + dsp.sine(1200.0, m, rate)
        dsp.add(out, dsp.unit(x), int(t * rate), rng.uniform(0.6, 1))
        t += m / rate
    return dsp.bandpass(out, 300, 3400, rate)
