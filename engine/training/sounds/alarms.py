"""Sirens, alarms, bells, buzzers and telephone tones."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Curve, Signal
from engine.training.sounds.kinds import Sound, kind


def siren_voice(rng: np.random.Generator, hz: Curve, n: int, rate: int) -> Signal:
    """A horn loudspeaker playing a rich wave, with some street around it."""
    x = dsp.drive(dsp.wavetable(hz, dsp.saw_amplitudes(30, 1.2), n, rate), rng.uniform(0.5, 1.5))
    x = dsp.bandpass(x, 450, rng.uniform(3000, 5500), rate, 1)
    return dsp.room(rng, dsp.unit(x), rate, rng.uniform(0.5, 1.5), rng.uniform(0.05, 0.3))


def up_down(n: int, rate: int, per_second: float, start: float, up_part: float = 0.5) -> Signal:
    """A triangle from 0 to 1 and back."""
    p = dsp.cycles(per_second, n, rate, start) % 1.0
    return np.where(p < up_part, p / up_part, (1 - p) / (1 - up_part))


@kind(
    "police siren",
    "a police siren, a police car siren, a wailing police siren, a siren, a siren wailing, an "
    "emergency siren, a cop car siren, a police car with its siren on",
)
def police_wail(rng: np.random.Generator, n: int, rate: int) -> Sound:
    per_second = rng.uniform(0.2, 0.5)
    shape = np.sin(0.5 * np.pi * up_down(n, rate, per_second, rng.random()))
    low, high = rng.uniform(500, 700), rng.uniform(1300, 1700)
    x = siren_voice(rng, low + (high - low) * shape, n, rate)
    far = dsp.chance(rng, 0.3)
    if far:
        x = dsp.room(rng, dsp.lowpass(x, 1400, rate), rate, 2.0, 0.6)
    return x, {"distance": "far" if far else ""}


@kind(
    "police siren yelp",
    "a yelping police siren, a fast police siren, a rapid siren, a siren yelping, a quickly "
    "sweeping siren, a yelp siren",
)
def police_yelp(rng: np.random.Generator, n: int, rate: int) -> Signal:
    shape = up_down(n, rate, rng.uniform(2.5, 4.5), rng.random(), 0.6)
    low, high = rng.uniform(550, 750), rng.uniform(1300, 1700)
    return siren_voice(rng, low + (high - low) * shape, n, rate)


@kind(
    "ambulance siren",
    "an ambulance siren, an ambulance, a two-tone siren, a hi-lo siren, a European emergency "
    "siren, an ambulance passing with its siren, a nee-naw siren",
)
def ambulance(rng: np.random.Generator, n: int, rate: int) -> Signal:
    low = rng.uniform(400, 700)
    half_s = rng.uniform(0.35, 0.75)
    high = dsp.cycles(0.5 / half_s, n, rate, rng.random()) % 1.0 < 0.5
    hz = low * np.where(high, rng.choice((1.26, 1.335, 1.5)), 1.0)
    hz *= (
        dsp.curve(n, [(0, 1.03), (0.45, 1.03), (0.55, 0.97), (1, 0.97)])
        if dsp.chance(rng, 0.4)
        else 1
    )
    return siren_voice(rng, dsp.lowpass(hz - low, 60, rate, 1) + low, n, rate)


def air_horn_blast(rng: np.random.Generator, n: int, rate: int, root_hz: float) -> Signal:
    """Two or three horns blown together."""
    x = sum(
        dsp.saw(root_hz * ratio * rng.uniform(0.995, 1.005), n, rate, rng.random())
        for ratio in (1, 1.26, 1.5)
    )
    return dsp.unit(dsp.bandpass(x, 200, 3500, rate, 1)) * dsp.swell(n, rate, 0.04, 0.08)


@kind(
    "fire truck",
    "a fire truck, a fire engine siren, a fire truck siren with its horn, a fire engine, a fire "
    "truck rushing by, a fire brigade siren and horn",
)
def fire_truck(rng: np.random.Generator, n: int, rate: int) -> Signal:
    shape = up_down(n, rate, rng.uniform(0.15, 0.25), rng.random())
    out = siren_voice(rng, 350 + 750 * shape, n, rate)
    for time in dsp.beat(rng, n / rate, rng.uniform(1.2, 2.0), 0.2):
        blast = air_horn_blast(rng, int(rng.uniform(0.4, 0.9) * rate), rate, rng.uniform(270, 330))
        dsp.add(out, blast, int(time * rate), 1.2)
    return out


@kind(
    "air raid siren",
    "an air raid siren, a civil defence siren, a tornado siren, a wartime siren, a slow rising "
    "siren, a warning siren rising and falling",
)
def air_raid(rng: np.random.Generator, n: int, rate: int) -> Signal:
    shape = 0.5 - 0.5 * np.cos(
        2 * np.pi * dsp.cycles(rng.uniform(0.1, 0.22), n, rate, rng.random())
    )
    hz = 180 + rng.uniform(250, 330) * shape
    x = dsp.wavetable(hz, dsp.saw_amplitudes(20, 0.8), n, rate)
    x += dsp.wavetable(hz * 1.2, dsp.saw_amplitudes(20, 0.8), n, rate)
    return dsp.room(rng, dsp.unit(dsp.lowpass(x, 2500, rate)), rate, 2.5, 0.4)


@kind(
    "klaxon",
    "a klaxon, an ahooga horn, a submarine dive alarm, a dive klaxon, an old car klaxon, an "
    "awooga horn",
)
def klaxon(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(170, 240)

    def clip() -> Signal:
        m = int(rng.uniform(0.9, 1.2) * rate)
        hz = base * dsp.curve(
            m, [(0, 0.7), (0.15, 1.3), (0.3, 1.35), (0.4, 2.2), (0.75, 2.3), (1, 0.9)]
        )
        x = dsp.drive(dsp.wavetable(hz, np.ones(40), m, rate), 0.5)
        return dsp.unit(dsp.bandpass(x, 500, 3000, rate)) * dsp.swell(m, rate, 0.05, 0.1)

    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(1.4, 2.0), 0.02), clip)


@kind(
    "car alarm",
    "a car alarm, a car alarm going off, a vehicle alarm, a theft alarm of a car, a parked "
    "car's alarm, an anti-theft car alarm",
)
def car_alarm(rng: np.random.Generator, n: int, rate: int) -> Signal:
    sweeps = [
        500 + 1200 * (dsp.cycles(rng.uniform(2, 3), n, rate) % 1.0),
        700 + 900 * up_down(n, rate, rng.uniform(5, 8), 0),
        np.where(dsp.cycles(rng.uniform(2.5, 4), n, rate) % 1.0 < 0.5, 800.0, 1150.0),
        1500 - 900 * (dsp.cycles(rng.uniform(1.5, 2.5), n, rate) % 1.0),
    ]
    step_s = rng.uniform(1.0, 1.7)
    turn = (np.arange(n) / (step_s * rate) + rng.random()).astype(int) + int(rng.integers(4))
    hz = np.choose(turn % 4, sweeps)
    return siren_voice(rng, hz * rng.uniform(0.9, 1.2), n, rate)


@kind(
    "smoke alarm",
    "a smoke alarm, a smoke detector beeping, a fire alarm beeping, a shrill smoke alarm, a "
    "smoke detector, a piercing alarm beep",
)
def smoke_alarm(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(2900, 3400)
    on_s, pause_s = rng.uniform(0.35, 0.55), rng.uniform(0.9, 1.4)
    t = np.arange(n) / rate + rng.uniform(0, 3)
    period = 6 * on_s + pause_s
    p = t % period
    on = ((p % (2 * on_s)) < on_s) & (p < 6 * on_s)
    return dsp.square(hz, n, rate) * dsp.lowpass(on.astype(float), 150, rate, 1)


@kind(
    "alarm clock",
    "an alarm clock, a digital alarm clock, a beeping alarm clock, an alarm clock beeping, a "
    "bedside alarm going off, a wake-up alarm",
)
def alarm_clock(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz, beeps = rng.uniform(1500, 2600), int(rng.integers(2, 5))
    t = np.arange(n) / rate + rng.uniform(0, 1)
    slot = rng.uniform(0.1, 0.14)
    p = t % (2 * slot * beeps + rng.uniform(0.25, 0.5))
    on = (p < 2 * slot * beeps) & (p % (2 * slot) < slot)
    return dsp.square(hz, n, rate) * dsp.lowpass(on.astype(float), 200, rate, 1)


def ringing(
    rng: np.random.Generator, n: int, rate: int, hz: float, per_second: float, t60: float
) -> Signal:
    """A clapper hitting one or two small bells many times a second."""
    t = np.arange(int(t60 * rate)) / rate
    clips = []
    for bell in (1.0, rng.uniform(1.05, 1.15)):
        partials = [hz * bell * r for r in (1, 1.51, 2.27, 2.9, 3.87)]
        clips.append(
            dsp.modes(
                rng,
                t.size,
                rate,
                partials,
                [t60, t60 * 0.8, t60 * 0.6, t60 * 0.5, 0.1],
                [1, 0.7, 0.8, 0.5, 0.4],
            )
        )
    out = np.zeros(n)
    for index, time in enumerate(np.arange(0, n / rate, 1 / per_second)):
        dsp.add(out, clips[index % 2], int(time * rate), rng.uniform(0.8, 1.0))
    return out


@kind(
    "mechanical alarm clock",
    "a mechanical alarm clock ringing, an old wind-up alarm clock, a ringing alarm clock, a "
    "twin-bell alarm clock, an old-fashioned alarm clock, the bell of a wind-up clock",
)
def wind_up_alarm(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return ringing(rng, n, rate, rng.uniform(1700, 2500), rng.uniform(18, 26), 0.25)


@kind(
    "fire bell",
    "a fire bell, a school bell, an alarm bell ringing, an electric alarm bell, a fire alarm "
    "bell, a loud ringing alarm bell",
)
def fire_bell(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = ringing(rng, n, rate, rng.uniform(650, 1000), rng.uniform(12, 16), 0.9)
    return dsp.room(rng, dsp.unit(x), rate, 1.2, 0.3)


@kind(
    "buzzer",
    "a buzzer, a game show buzzer, a wrong answer buzzer, an electric door buzzer, a harsh "
    "buzzer, a buzzing signal",
)
def buzzer(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz = rng.uniform(90, 220)
    length = rng.uniform(0.5, 1.6)

    def clip() -> Signal:
        m = int(length * rate)
        x = (
            dsp.saw(hz, m, rate)
            + dsp.saw(hz * 1.007, m, rate)
            + 0.7 * dsp.square(hz * 1.5, m, rate)
        )
        return dsp.highpass(dsp.drive(x, 2), 120, rate) * dsp.swell(m, rate, 0.005, 0.01)

    return (dsp.one_shots(rng, n, rate, clip, length, 3)), {
        "pitch": dsp.grade(hz, 120, 175, ("low", "", "high"))
    }


@kind(
    "reversing beep",
    "a reversing truck beeping, a backup beeper, a vehicle reversing alarm, a truck backing up, "
    "steady reversing beeps, a reverse warning beep",
)
def reversing(rng: np.random.Generator, n: int, rate: int) -> Signal:
    x = dsp.square(rng.uniform(950, 1400), n, rate) * dsp.gate(n, rate, rng.uniform(0.9, 1.3))
    motor = dsp.lowpass(dsp.coloured(rng, n, -5), 300, rate)
    return dsp.unit(dsp.bandpass(x, 500, 3500, rate)) + 0.15 * dsp.unit(motor)


@kind(
    "church bell",
    "a church bell, church bells ringing, a bell tower, a tolling bell, a large bell tolling, "
    "cathedral bells, a bell tolling slowly",
)
def church_bell(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz = dsp.log_uniform(rng, 130, 420)
    ratios = np.array([0.5, 1.0, 1.19, 1.5, 2.0, 2.52, 3.0, 4.05, 5.4, 6.7])
    loud = np.array([0.6, 0.8, 0.9, 0.4, 1.0, 0.5, 0.5, 0.35, 0.25, 0.2])
    t60 = 6.0 / ratios**0.8

    def clip() -> Signal:
        bell = rng.choice((1.0, 1.0, 1.122, 0.89))
        return dsp.modes(rng, n, rate, hz * bell * ratios, t60, loud * rng.uniform(0.7, 1.1, 10))

    x = dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(1.4, 2.8), 0.03), clip)
    return x, {"pitch": dsp.grade(hz, 180, 320, ("low", "", "high"))}


@kind(
    "hand bell",
    "a hand bell, a small bell ringing, a dinner bell, a little bell, a service bell, a "
    "handbell being rung, a tinkling bell",
)
def hand_bell(rng: np.random.Generator, n: int, rate: int) -> Sound:
    hz = dsp.log_uniform(rng, 900, 2200)
    ratios = (1, 2.0, 2.76, 4.1, 5.4)

    def clip() -> Signal:
        return dsp.modes(
            rng,
            int(1.8 * rate),
            rate,
            [hz * r for r in ratios],
            [1.8, 1.2, 0.8, 0.5, 0.3],
            [1, 0.5, 0.6, 0.4, 0.3],
        )

    return (
        dsp.place(n, rate, dsp.beat(rng, n / rate, dsp.log_uniform(rng, 0.25, 1.4), 0.08), clip)
    ), {"pitch": dsp.grade(hz, 1150, 1700, ("low", "", "high"))}


@kind(
    "doorbell",
    "a doorbell, a ding-dong doorbell, a door chime, someone ringing the doorbell, a house "
    "doorbell, a two-note door chime",
)
def doorbell(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(550, 800)

    def note(f: float) -> Signal:
        return dsp.modes(
            rng,
            int(1.6 * rate),
            rate,
            [f, 2 * f, 3 * f, 4.1 * f],
            [1.6, 0.8, 0.5, 0.2],
            [1, 0.3, 0.2, 0.1],
        )

    def clip() -> Signal:
        out = np.zeros(int(2.2 * rate))
        dsp.add(out, note(hz), 0)
        dsp.add(out, note(hz * 0.794), int(0.55 * rate))
        return out

    return dsp.one_shots(rng, n, rate, clip, 2.2, 2)


@kind(
    "old telephone",
    "an old telephone ringing, a rotary phone ringing, a telephone bell, a vintage phone "
    "ringing, a landline phone ringing, a classic telephone ring",
)
def old_telephone(rng: np.random.Generator, n: int, rate: int) -> Signal:
    bells = ringing(rng, n, rate, rng.uniform(1000, 1500), rng.uniform(20, 25), 0.4)
    period = rng.uniform(2.0, 3.5)
    p = (np.arange(n) / rate + rng.uniform(0, 0.4)) % period
    return bells * dsp.lowpass((p < 0.5 * period).astype(float), 4, rate, 1)


@kind(
    "modern phone ringing",
    "a mobile phone ringing, a cell phone ringtone, a smartphone ringing, an electronic phone "
    "ring, a ringtone, a phone ringing electronically",
)
def modern_phone(rng: np.random.Generator, n: int, rate: int) -> Signal:
    root = rng.uniform(600, 1100)
    melody = rng.choice((0, 2, 4, 5, 7, 9, 12), int(rng.integers(3, 7)))
    step = rng.uniform(0.09, 0.16)
    amplitudes = np.array([1, 0, 0.3, 0, 0.1]) if dsp.chance(rng, 0.5) else np.array([1, 0.4, 0.1])
    out = np.zeros(n)
    for start in np.arange(
        rng.uniform(0, 0.5), n / rate, step * (2 * melody.size + rng.integers(2, 8))
    ):
        for index, degree in enumerate(np.concatenate([melody, melody])):
            m = int(0.22 * rate)
            note = dsp.wavetable(root * 2 ** (degree / 12), amplitudes, m, rate) * dsp.decay(
                m, rate, 0.35
            )
            dsp.add(out, note, int((start + index * step) * rate))
    return out


def line_tone(rng: np.random.Generator, n: int, rate: int, freqs: tuple[float, ...]) -> Signal:
    x = sum(dsp.sine(f, n, rate, rng.random()) for f in freqs)
    return dsp.unit(x) + 0.02 * dsp.band_noise(rng, n, rate, 300, 3400)


@kind(
    "busy tone",
    "a busy tone, a busy signal, an engaged tone on the telephone, a phone line that is busy, a "
    "telephone busy signal, the engaged signal",
    texture=True,
)
def busy_tone(rng: np.random.Generator, n: int, rate: int) -> Signal:
    freqs = (480.0, 620.0) if dsp.chance(rng, 0.6) else (425.0,)
    return line_tone(rng, n, rate, freqs) * dsp.gate(n, rate, rng.uniform(1.0, 2.1))


@kind(
    "dial tone",
    "a dial tone, a telephone dial tone, a phone off the hook, a steady phone line tone, the "
    "dial tone of a landline, a humming dial tone",
    texture=True,
)
def dial_tone(rng: np.random.Generator, n: int, rate: int) -> Signal:
    return line_tone(rng, n, rate, (350.0, 440.0) if dsp.chance(rng, 0.7) else (425.0,))


@kind(
    "touch tones",
    "touch tones, dialling a phone number, telephone keypad tones, DTMF tones, a phone number "
    "being dialled, pressing buttons on a phone",
)
def touch_tones(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        pair = (rng.choice((697.0, 770.0, 852.0, 941.0)), rng.choice((1209.0, 1336.0, 1477.0)))
        m = int(rng.uniform(0.09, 0.2) * rate)
        return line_tone(rng, m, rate, pair) * dsp.swell(m, rate, 0.005, 0.005)

    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.2, 0.5), 0.15), clip)
