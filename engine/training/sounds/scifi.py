"""Science fiction, horror and film: lasers, spaceships, robots, risers, booms."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.impacts import METAL, hit
from engine.training.sounds.kinds import Sound, kind


@kind(
    "laser",
    "a laser, a laser gun, a laser shot, a blaster, a sci-fi gun firing, laser beams being "
    "fired, a ray gun, pew pew laser shots",
)
def laser(rng: np.random.Generator, n: int, rate: int) -> Sound:
    top, bottom = dsp.log_uniform(rng, 1500, 6000), dsp.log_uniform(rng, 80, 500)
    length, timbre = (
        rng.uniform(0.15, 0.5),
        dsp.pick(rng, (np.array([1.0]), dsp.square_amplitudes(20), dsp.saw_amplitudes(20))),
    )

    def clip() -> Signal:
        m = int(length * rate)
        hz = bottom + (top - bottom) * np.exp(-np.linspace(0, rng.uniform(4, 6), m))
        return (
            dsp.wavetable(hz, timbre, m, rate)
            * dsp.decay(m, rate, 1.5 * length, 0.002)
            * dsp.swell(m, rate, 0.001, 0.03)
        )

    return dsp.place(n, rate, dsp.scattered(rng, n / rate, rng.uniform(0.5, 3), 1), clip), {
        "pitch": dsp.grade(top, 2200, 4200, ("low", "", "high"))
    }


@kind(
    "teleport",
    "a teleporter, a teleport sound, someone teleporting, a sci-fi teleportation, a shimmering "
    "teleport, beaming up, a magical disappearing shimmer",
)
def teleport(rng: np.random.Generator, n: int, rate: int) -> Signal:
    length = rng.uniform(1.2, 2.6)
    up = dsp.chance(rng, 0.6)

    def clip() -> Signal:
        m = int(length * rate)
        rise = np.linspace(0, 1, m) if up else np.linspace(1, 0, m)
        out = np.zeros(m)
        for _ in range(7):
            hz = (
                rng.uniform(300, 900)
                * 2 ** (2.2 * rise)
                * (1 + 0.03 * dsp.sine(rng.uniform(6, 14), m, rate))
            )
            out += dsp.sine(hz, m, rate) * (
                0.5 + 0.5 * dsp.sine(rng.uniform(8, 22), m, rate, rng.random())
            )
        shimmer = dsp.sweep_band(dsp.white(rng, m), rate, 1500 + 4000 * rise, 0.4)
        return (dsp.unit(out) + 0.5 * dsp.unit(shimmer)) * dsp.swell(
            m, rate, 0.3 * length, 0.3 * length
        )

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, length, 2), rate, 1.2, 0.3)


@kind(
    "spaceship engine",
    "a spaceship engine, the hum of a spaceship, a starship interior, a spacecraft engine room, "
    "a deep sci-fi engine drone, a spaceship humming, a starship's engine",
    texture=True,
)
def spaceship(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(38, 75)
    x = sum(
        dsp.saw(base * ratio * rng.uniform(0.997, 1.003), n, rate, rng.random())
        for ratio in (1, 1.005, 1.5, 2.01)
    )
    x = dsp.sweep_lowpass(x, rate, dsp.wander(rng, n, rate, 0.6, 180, 700), 2)
    air = dsp.lowpass(dsp.coloured(rng, n, -3), 1200, rate)
    return dsp.unit(x) * (1 + 0.25 * dsp.sine(rng.uniform(1, 7), n, rate)) + 0.35 * dsp.unit(air)


@kind(
    "spaceship flyby",
    "a spaceship flying by, a starfighter passing, a spacecraft flyby, a sci-fi ship zooming "
    "past, a ufo flying past, a space fighter whooshing by",
)
def flyby(rng: np.random.Generator, n: int, rate: int) -> Signal:
    middle = rng.uniform(0.35, 0.6)
    bend = dsp.curve(n, [(0, 1.3), (middle - 0.12, 1.25), (middle + 0.12, 0.7), (1, 0.62)])
    near = np.exp(-(((np.linspace(0, 1, n) - middle) / 0.16) ** 2)) + 0.03
    hz = rng.uniform(110, 260) * bend
    x = sum(dsp.saw(hz * ratio, n, rate) for ratio in (1, 1.013, 1.51))
    x *= 1 + 0.7 * dsp.sine(rng.uniform(20, 45) * bend, n, rate)
    noise = dsp.sweep_band(dsp.white(rng, n), rate, 500 + 2500 * near, 0.9)
    return (dsp.unit(x) + dsp.unit(noise)) * near


@kind(
    "ufo",
    "a UFO hovering, a flying saucer, an alien spacecraft, a theremin-like UFO sound, a "
    "wobbling flying saucer, a 1950s sci-fi UFO, a ufo",
)
def ufo(rng: np.random.Generator, n: int, rate: int) -> Signal:
    wobble = dsp.sine(rng.uniform(3, 9), n, rate)
    hz = (
        rng.uniform(350, 900)
        * dsp.wander(rng, n, rate, 0.8, 0.8, 1.3)
        * (1 + rng.uniform(0.1, 0.35) * wobble)
    )
    return dsp.room(rng, dsp.wavetable(hz, np.array([1, 0.2, 0.1]), n, rate), rate, 1.5, 0.3)


@kind(
    "force field",
    "a force field, an energy shield humming, a sci-fi energy field, a lightsaber hum, a plasma "
    "sword humming, an electric energy hum, an energy beam",
    texture=True,
)
def force_field(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(80, 140) * dsp.wander(rng, n, rate, 1.5, 0.93, 1.1)
    x = dsp.wavetable(base, dsp.saw_amplitudes(30, 0.9), n, rate) + dsp.wavetable(
        base * 1.018, dsp.saw_amplitudes(30, 0.9), n, rate
    )
    buzz = dsp.sweep_band(x, rate, dsp.wander(rng, n, rate, 1.2, 350, 1400), 0.6)
    return dsp.unit(dsp.lowpass(x, 450, rate)) + 0.8 * dsp.unit(buzz)


@kind(
    "robot beeps",
    "robot beeps, a cute robot, a droid beeping, an astromech droid chirping, a small robot "
    "chattering, bleeps of a friendly robot, an electronic creature",
)
def droid(rng: np.random.Generator, n: int, rate: int) -> Signal:
    out, t = np.zeros(n), rng.uniform(0, 0.3)
    while t < n / rate:
        m = int(rng.uniform(0.06, 0.28) * rate)
        a, b, c = np.exp(rng.uniform(np.log(500), np.log(3800), 3))
        hz = dsp.curve(m, [(0, a), (rng.uniform(0.2, 0.8), b), (1, c)])
        if dsp.chance(rng, 0.35):
            hz = hz * (1 + 0.15 * dsp.sine(rng.uniform(18, 35), m, rate))
        x = dsp.wavetable(hz, np.array([1, 0.2, 0.15]), m, rate) * dsp.swell(m, rate, 0.008, 0.012)
        dsp.add(out, x, int(t * rate), rng.uniform(0.6, 1))
        t += m / rate + (
            rng.uniform(0.3, 0.8) if dsp.chance(rng, 0.12) else rng.uniform(0.005, 0.06)
        )
    return out


@kind(
    "robot movement",
    "a robot moving, servo motors, a robot arm moving, mechanical servos whirring, a robot "
    "walking, an android's joints moving, a servo motor",
)
def servo(rng: np.random.Generator, n: int, rate: int) -> Signal:
    out, t = np.zeros(n), rng.uniform(0, 0.3)
    base = rng.uniform(350, 800)
    while t < n / rate:
        m = int(rng.uniform(0.15, 0.6) * rate)
        hz = (
            base
            * rng.uniform(0.8, 1.3)
            * dsp.curve(m, [(0, 0.6), (0.25, 1), (0.75, 1.05), (1, 0.6)])
        )
        x = dsp.wavetable(hz, dsp.saw_amplitudes(16, 0.9), m, rate) + 0.3 * dsp.band_noise(
            rng, m, rate, 1500, 5000
        )
        dsp.add(out, dsp.unit(x) * dsp.swell(m, rate, 0.03, 0.04), int(t * rate))
        if dsp.chance(rng, 0.4):
            dsp.add(out, 2 * hit(rng, rate, 300, METAL, 0.25, 1.0, 3000), int(t * rate + m))
        t += m / rate + rng.uniform(0.05, 0.5)
    return out


@kind(
    "riser",
    "a riser, a cinematic riser, a tension riser, an uplifter effect, a rising sweep building "
    "tension, a build-up riser, a trailer riser",
)
def riser(rng: np.random.Generator, n: int, rate: int) -> Signal:
    rise = np.linspace(0, 1, n)
    noise = dsp.sweep_band(dsp.white(rng, n), rate, 200 * 2 ** (5 * rise), 0.7)
    hz = rng.uniform(70, 160) * 2 ** (rng.uniform(1.5, 3) * rise**1.5)
    tone = sum(dsp.saw(hz * r, n, rate, rng.random()) for r in (1, 1.01, 1.5))
    level = rise ** rng.uniform(0.8, 1.6)
    pulse = 1 + 0.5 * dsp.sine(2 + 14 * rise**2, n, rate)
    return (
        (
            dsp.unit(noise)
            + rng.uniform(0.3, 1.0) * dsp.unit(dsp.sweep_lowpass(tone, rate, 4 * hz, 2))
        )
        * level
        * pulse
        * dsp.swell(n, rate, 0.05, 0.03)
    )


@kind(
    "downer",
    "a falling sweep, a downlifter, a cinematic down sweep, a falling synth effect, a "
    "descending whoosh, a pitch dropping effect, a power drop sweep",
)
def downer(rng: np.random.Generator, n: int, rate: int) -> Signal:
    fall = np.linspace(1, 0, n)
    hz = rng.uniform(50, 90) * 2 ** (rng.uniform(2, 3.5) * fall**1.5)
    noise = dsp.sweep_band(dsp.white(rng, n), rate, 150 * 2 ** (5 * fall), 0.7)
    return (
        (dsp.unit(noise) + dsp.unit(dsp.saw(hz, n, rate) + dsp.saw(hz * 1.01, n, rate)))
        * fall**1.2
        * dsp.swell(n, rate, 0.02, 0.5)
    )


@kind(
    "cinematic boom",
    "a cinematic boom, a deep cinematic impact, a movie trailer hit, a low boom, a sub bass "
    "drop, a huge dramatic impact, a braam, an epic trailer impact",
)
def boom(rng: np.random.Generator, n: int, rate: int) -> Signal:
    brass = dsp.chance(rng, 0.4)

    def clip() -> Signal:
        m = int(3.2 * rate)
        x = dsp.sine(30 + 55 * np.exp(-np.arange(m) / (0.12 * rate)), m, rate) * dsp.decay(
            m, rate, 3.0, 0.003
        )
        hit_ = dsp.lowpass(dsp.white(rng, m), 1200, rate) * dsp.decay(m, rate, 0.3, 0.001)
        x = 1.5 * x + 0.7 * hit_
        if brass:
            blare = sum(dsp.saw(58.0 * r, m, rate, rng.random()) for r in (1, 1.004, 1.5, 2.003))
            x += (
                0.35
                * dsp.sweep_lowpass(blare, rate, 250 + 2200 * dsp.decay(m, rate, 2.5, 0.05), 2)
                * dsp.decay(m, rate, 3.0, 0.05)
            )
        return x

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 3.0, 1), rate, 3.0, 0.3)


@kind(
    "magic spell",
    "a magic spell, a magic wand, a magical sparkle, fairy dust, a wizard casting a spell, a "
    "twinkling magic effect, a magical shimmer, a fairy chime",
)
def magic(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(1.8 * rate)
        out = np.zeros(m)
        up = dsp.chance(rng, 0.7)
        for index in range(26):
            place = index / 26
            hz = 1500 * 2 ** ((place if up else 1 - place) * 1.7) * rng.uniform(0.9, 1.12)
            bell = dsp.modes(rng, int(0.7 * rate), rate, [hz, hz * 2.76], [0.7, 0.3], [1, 0.3])
            dsp.add(out, bell, int(place * 1.0 * rate), rng.uniform(0.3, 1))
        shimmer = dsp.highpass(dsp.white(rng, m), 4500, rate) * dsp.swell(m, rate, 0.6, 0.9)
        return out + 0.12 * shimmer

    return dsp.room(rng, dsp.one_shots(rng, n, rate, clip, 1.8, 2), rate, 2.0, 0.35)


@kind(
    "horror drone",
    "a horror drone, a creepy ambience, a scary atmosphere, an eerie dark drone, unsettling "
    "horror movie ambience, a sinister drone, a haunting dark ambience",
    texture=True,
)
def horror(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(45, 80)
    out = np.zeros(n)
    for ratio in (1, 1.06, 1.414, 2.12, 2.83):
        hz = base * ratio * dsp.wander(rng, n, rate, 0.5, 0.985, 1.015)
        out += dsp.wavetable(hz, dsp.saw_amplitudes(12, 1.5), n, rate, rng.random()) * dsp.wander(
            rng, n, rate, 0.7, 0.1, 1
        )
    tracks = [
        (dsp.wander(rng, n, rate, 0.7, 900, 2600), 60, 1.0),
        (dsp.wander(rng, n, rate, 0.7, 600, 1500), 40, 1.0),
    ]
    ghosts = (
        dsp.sculpt(dsp.white(rng, n), dsp.peak_gains(n, rate, tracks))
        * dsp.wander(rng, n, rate, 0.8, 0, 1) ** 2
    )
    return dsp.room(rng, dsp.unit(out) + 0.45 * dsp.unit(ghosts), rate, 3.0, 0.4)


@kind(
    "horror sting",
    "a horror sting, a jump scare, screeching horror violins, a scary movie stinger, a shrill "
    "string stab, psycho shower strings, a sudden horror hit",
)
def horror_sting(rng: np.random.Generator, n: int, rate: int) -> Signal:
    root = rng.uniform(900, 1500)
    repeated = dsp.chance(rng, 0.5)

    def clip() -> Signal:
        m = int((0.32 if repeated else 1.8) * rate)
        x = sum(
            dsp.saw(root * r * dsp.curve(m, [(0, 0.93), (0.2, 1), (1, 1)]), m, rate, rng.random())
            for r in (1, 1.06, 1.12, 0.53)
        )
        x = dsp.unit(x) * (1 + 0.4 * dsp.white(rng, m) * 0.3) + 0.15 * dsp.white(rng, m)
        return dsp.highpass(x, 500, rate) * dsp.decay(m, rate, 0.9 if repeated else 2.5, 0.01)

    if repeated:
        x = dsp.place(
            n, rate, np.arange(rng.uniform(0, 0.4), n / rate, rng.uniform(0.4, 0.6)), clip
        )
    else:
        x = dsp.one_shots(rng, n, rate, clip, 1.8, 2)
    return dsp.room(rng, x, rate, 1.6, 0.3)


@kind(
    "record scratch",
    "a record scratch, vinyl scratching, a DJ scratching a record, turntable scratching, a "
    "hip-hop DJ scratching, scratching on a turntable",
)
def scratch(rng: np.random.Generator, n: int, rate: int) -> Signal:
    source = dsp.lowpass(
        dsp.saw(rng.uniform(180, 320), n, rate) + 0.8 * dsp.white(rng, n), 3500, rate
    )
    speed = dsp.wander(rng, n, rate, rng.uniform(5, 9), -2.6, 2.6)
    position = np.abs(np.cumsum(speed)) % (n - 1)
    x = np.interp(position, np.arange(n), source)
    return dsp.highpass(x, 200, rate) * np.minimum(1, np.abs(speed))


@kind(
    "cartoon boing",
    "a cartoon boing, a spring boing, a bouncing spring, a jaw harp twang, a comical spring "
    "sound, a doorstop spring, a springy twang",
)
def boing(rng: np.random.Generator, n: int, rate: int) -> Signal:
    base = rng.uniform(90, 190)

    def clip() -> Signal:
        m = int(1.2 * rate)
        wobble = dsp.sine(dsp.curve(m, [(0, 26), (1, 12)]), m, rate) * dsp.decay(m, rate, 1.6)
        hz = base * (1 + 0.35 * wobble) * dsp.curve(m, [(0, 1.3), (0.2, 1), (1, 0.9)])
        formant = 700 + 900 * (0.5 + 0.5 * wobble)
        x = dsp.wavetable(hz, dsp.saw_amplitudes(40, 0.6), m, rate)
        return dsp.unit(
            dsp.sculpt(x, dsp.peak_gains(m, rate, [(formant, 250, 1), (2500.0, 600, 0.2)]))
        ) * dsp.decay(m, rate, 1.3, 0.002)

    return dsp.one_shots(rng, n, rate, clip, 1.1, 3)


@kind(
    "slide whistle",
    "a slide whistle, a cartoon slide whistle, a comical rising whistle, a clown's slide "
    "whistle, a swanee whistle, a funny sliding whistle",
)
def slide_whistle(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(0.5, 1.0) * rate)
        low, high = rng.uniform(500, 700), rng.uniform(1300, 2000)
        shape = dsp.pick(
            rng, ([(0, low), (1, high)], [(0, high), (1, low)], [(0, low), (0.5, high), (1, low)])
        )
        x = dsp.wavetable(
            dsp.vibrato(rng, dsp.curve(m, shape), m, rate, 0.01, 6),
            np.array([1, 0.1, 0.05]),
            m,
            rate,
        )
        return (x + 0.03 * dsp.white(rng, m)) * dsp.swell(m, rate, 0.04, 0.06)

    return dsp.one_shots(rng, n, rate, clip, 1.0, 4)
