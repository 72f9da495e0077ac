"""Engines and horns of cars, trains, ships and aircraft."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Curve, Signal
from engine.training.sounds.kinds import Attributes, kind

Peaks = Sequence[tuple[float, float, float]]


def engine(
    rng: np.random.Generator, n: int, rate: int, fires_hz: Curve, exhaust: Peaks, spread: float = 0.15,
    cylinders: int = 4, hiss: float = 0.3,
) -> Signal:
    """Combustion engine: one burst of pressure and gas noise a firing, through the exhaust pipe."""
    pulses = dsp.firings(rng, fires_hz, n, rate, spread, cylinders)
    burst = int(0.012 * rate)
    gas = np.convolve(np.abs(pulses), np.exp(-np.arange(burst) / (0.3 * burst)))[:n]
    source = dsp.unit(dsp.lowpass(pulses, 900, rate, 1)) + hiss * dsp.unit(gas * dsp.white(rng, n))
    return dsp.unit(dsp.body(source, rate, exhaust, 0.12))


def passing(n: int, rate: int, speed: float, closest: float = 0.5) -> tuple[Signal, Signal, Signal]:
    """Something driving past: Doppler factor, gain, and closeness from 0 to 1.

    `speed` is in m/s; it passes at 6 m distance, `closest` of the way through.
    """
    x = (np.arange(n) / rate - closest * n / rate) * speed
    distance = np.sqrt(x * x + 36.0)
    near = 6.0 / distance
    return 1.0 / (1.0 + speed / 343.0 * x / distance), near, near**0.5


@kind(
    "car engine idling", "a car engine idling", "an idling car", "a car engine running",
    "a car standing with its engine on", "an engine idling", "a car's motor at idle",
    "a parked car with the engine running", texture=True,
)
def car_idle(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(22, 34) * dsp.wander(rng, n, rate, 2, 0.96, 1.04)
    exhaust = [(rng.uniform(55, 95), 3, 1.0), (rng.uniform(150, 260), 4, 0.7), (rng.uniform(400, 800), 3, 0.3)]
    tick = dsp.resonate(dsp.firings(rng, hz / 2, n, rate, 0.4), 2600, 4, rate)
    return engine(rng, n, rate, hz, exhaust, 0.2) + rng.uniform(0.05, 0.15) * dsp.unit(tick)


def rev_curve(rng: np.random.Generator, n: int, rate: int, low: float, high: float) -> Signal:
    """Engine speed with the throttle blipped a few times."""
    target = np.full(n, low)
    for time in dsp.beat(rng, n / rate, rng.uniform(1.0, 2.0), 0.2):
        start, length = int(time * rate), int(rng.uniform(0.3, 0.9) * rate)
        target[start : start + length] = rng.uniform(0.6 * high, high)
    return np.maximum(dsp.lowpass(target - low, 0.9, rate, 1) + low, low)


@kind(
    "car engine revving", "a car engine revving", "a revving engine", "someone revving a car",
    "revving up a car engine", "a sports car revving", "an engine being revved", "a roaring car engine",
)
def car_rev(rng: np.random.Generator, n: int, rate: int) -> Signal:
    low = rng.uniform(28, 40)
    hz = rev_curve(rng, n, rate, low, low * rng.uniform(5, 8))
    exhaust = [(95, 2, 1.0), (rng.uniform(200, 320), 2.5, 0.9), (rng.uniform(550, 900), 2, 0.6), (1900, 2, 0.25)]
    x = engine(rng, n, rate, hz, exhaust, 0.08)
    return x * (0.25 + hz / hz.max())


@kind(
    "car passing", "a car passing by", "a car driving past", "a passing car", "a vehicle driving by",
    "a car rushing past on the road", "a car whooshing by", "traffic passing",
)
def car_passing(rng: np.random.Generator, n: int, rate: int) -> Signal:
    doppler, gain, near = passing(n, rate, rng.uniform(12, 28), rng.uniform(0.35, 0.65))
    tyres = dsp.sweep_lowpass(dsp.coloured(rng, n, -2), rate, 300 + 3200 * near, 1)
    motor = engine(rng, n, rate, rng.uniform(60, 110) * doppler, [(110, 2, 1), (260, 2, 0.7)])
    return (dsp.unit(tyres) + 0.4 * motor) * gain


@kind(
    "race car", "a race car passing", "a racing car", "a formula one car", "a race car zooming by",
    "a fast racing car driving past", "motor racing",
)
def race_car(rng: np.random.Generator, n: int, rate: int) -> Signal:
    doppler, gain, near = passing(n, rate, rng.uniform(55, 80), rng.uniform(0.35, 0.6))
    hz = rng.uniform(380, 620) * doppler
    x = dsp.wavetable(hz, dsp.saw_amplitudes(30, 0.7), n, rate) + 0.6 * dsp.wavetable(hz / 2, dsp.saw_amplitudes(30, 0.8), n, rate)
    x += 0.3 * dsp.white(rng, n)
    return dsp.sweep_lowpass(dsp.drive(x, 1.5), rate, 700 + 6000 * near, 1) * (0.04 + gain)


@kind(
    "car starting", "a car starting", "a car engine starting", "starting a car", "turning the ignition",
    "a car being started", "a starter motor cranking and the engine starting",
)
def car_starting(rng: np.random.Generator, n: int, rate: int) -> Signal:
    start = int(rng.uniform(0.02, 0.15) * n)
    crank = int(rng.uniform(0.18, 0.4) * n)
    whirr_hz = rng.uniform(9, 12)
    lurch = 0.6 + 0.4 * np.sin(2 * np.pi * whirr_hz * np.arange(crank) / rate)
    whirr = dsp.wavetable(rng.uniform(230, 330) * (0.9 + 0.12 * lurch), dsp.saw_amplitudes(20, 0.8), crank, rate)
    whirr = dsp.unit(whirr + dsp.band_noise(rng, crank, rate, 400, 2500)) * lurch
    out = np.zeros(n)
    dsp.add(out, 0.6 * whirr, start)
    rest = max(16, n - start - crank)
    hz = dsp.curve(rest, [(0, 25), (0.08, 75), (0.35, 45), (1, 30)])
    dsp.add(out, engine(rng, rest, rate, hz, [(80, 2, 1), (220, 2, 0.7), (600, 2, 0.4)], 0.15), start + crank)
    return out


@kind(
    "motorcycle", "a motorcycle", "a motorbike", "a motorcycle engine", "a chopper motorcycle idling",
    "a motorcycle revving", "a rumbling motorbike", "a biker revving the engine",
)
def motorcycle(rng: np.random.Generator, n: int, rate: int) -> Signal:
    low = rng.uniform(18, 32)
    hz = rev_curve(rng, n, rate, low, low * rng.uniform(2.5, 7))
    exhaust = [(rng.uniform(70, 110), 2, 1.0), (rng.uniform(240, 380), 3, 0.9), (rng.uniform(700, 1200), 3, 0.6)]
    x = engine(rng, n, rate, hz, exhaust, 0.45, 2, 0.5)
    return dsp.drive(x * (0.4 + hz / hz.max()), 1.2)


@kind(
    "moped", "a moped", "a scooter buzzing by", "a motor scooter", "a small two-stroke engine",
    "a buzzing moped", "a dirt bike",
)
def moped(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(70, 130) * dsp.wander(rng, n, rate, 0.8, 0.75, 1.5)
    x = engine(rng, n, rate, hz, [(420, 3, 1.0), (980, 3, 1.0), (2300, 3, 0.7)], 0.25, 1, 0.5)
    return x


@kind(
    "truck", "a truck", "a truck engine", "a diesel engine", "a heavy lorry", "a truck idling",
    "a big diesel truck", "a diesel motor rattling", "a bus engine", texture=True,
)
def truck(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(26, 45) * dsp.wander(rng, n, rate, 0.6, 0.9, 1.15)
    knock = dsp.body(dsp.firings(rng, hz, n, rate, 0.35, 6), rate, [(1100, 6, 1), (1900, 6, 0.8), (3100, 7, 0.5)])
    x = engine(rng, n, rate, hz, [(48, 2, 1.2), (120, 3, 1.0), (310, 3, 0.5)], 0.15, 6, 0.4)
    return x + rng.uniform(0.25, 0.5) * dsp.unit(knock)


@kind(
    "tractor", "a tractor", "an old tractor chugging", "a farm tractor", "a tractor engine",
    "a slow chugging engine", "a tractor in a field", texture=True,
)
def tractor(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(9, 15) * dsp.wander(rng, n, rate, 0.6, 0.93, 1.1)
    return engine(rng, n, rate, hz, [(70, 2, 1.0), (190, 3, 1.0), (520, 3, 0.8), (1300, 4, 0.3)], 0.2, 2, 0.7)


@kind(
    "train passing", "a train passing", "a train on the tracks", "a train going by", "railway wheels clacking",
    "a train rattling along the rails", "a freight train", "a subway train", texture=True,
)
def train(rng: np.random.Generator, n: int, rate: int) -> Signal:
    rumble = dsp.unit(dsp.lowpass(dsp.coloured(rng, n, -4), 500, rate))
    period = dsp.log_uniform(rng, 0.45, 1.1)

    def bogie() -> Signal:
        m = int(0.35 * rate)
        out = np.zeros(m)
        for start in (0.0, rng.uniform(0.1, 0.13)):
            hits = dsp.modes(rng, m, rate, [95, 210, 480, 1150, 2300], [0.2, 0.15, 0.12, 0.08, 0.05], [1, 0.9, 0.8, 0.5, 0.3])
            dsp.add(out, hits + 0.4 * dsp.white(rng, m) * dsp.decay(m, rate, 0.06), int(start * rate))
        return out

    clacks = dsp.place(n, rate, dsp.beat(rng, n / rate, period, 0.02), bogie)
    squeal = dsp.sculpt(dsp.white(rng, n), dsp.peak_gains(n, rate, [(dsp.wander(rng, n, rate, 1, 1800, 2600), 40, 1)]))
    return rumble + 0.8 * clacks + 0.15 * dsp.unit(squeal * dsp.wander(rng, n, rate, 1, 0, 1) ** 3)


def horns(rng: np.random.Generator, n: int, rate: int, freqs: Sequence[float], top_hz: float) -> Signal:
    """Air horns: rich waves that set in with a little sag of pitch."""
    sag = dsp.curve(n, [(0, 0.94), (0.06, 1.0), (0.95, 1.0), (1, 0.97)])
    x = sum(dsp.saw(f * sag * rng.uniform(0.997, 1.003), n, rate, rng.random()) for f in freqs)
    x = dsp.drive(dsp.unit(x), 1.2) + 0.05 * dsp.white(rng, n)
    return dsp.bandpass(x, 0.7 * min(freqs), top_hz, rate, 1) * dsp.swell(n, rate, 0.08, 0.15)


@kind(
    "train horn", "a train horn", "a locomotive horn", "a train blowing its horn", "a loud train horn",
    "the horn of a train", "a railway horn", "a freight train horn blaring",
)
def train_horn(rng: np.random.Generator, n: int, rate: int) -> Signal:
    root = rng.uniform(250, 330)
    freqs = [root * r for r in (1.0, 1.19, 1.41, 1.68)]
    length = rng.uniform(0.8, 2.2)
    x = dsp.one_shots(rng, n, rate, lambda: horns(rng, int(length * rate), rate, freqs, 3500), length, 3)
    return dsp.room(rng, x, rate, 1.8, 0.25)


@kind(
    "ship horn", "a ship horn", "a foghorn", "a ferry horn", "a cruise ship blowing its horn",
    "a deep ship's horn", "a boat horn in the harbour",
)
def ship_horn(rng: np.random.Generator, n: int, rate: int) -> Signal:
    root, length = rng.uniform(65, 120), rng.uniform(1.6, 3.2)
    freqs = [root, root * rng.choice((1.5, 1.335, 1.26))]
    x = dsp.one_shots(rng, n, rate, lambda: horns(rng, int(length * rate), rate, freqs, 1200), length, 2)
    return dsp.room(rng, x, rate, 3.0, 0.35)


@kind(
    "car horn", "a car horn", "a car honking", "a driver honking", "a honk", "a car beeping its horn",
    "honking in traffic", "a vehicle horn",
)
def car_horn(rng: np.random.Generator, n: int, rate: int) -> tuple[Signal, Attributes]:
    root = rng.uniform(330, 460)
    freqs, length = [root, root * 1.26], dsp.log_uniform(rng, 0.18, 1.6)
    x = dsp.one_shots(rng, n, rate, lambda: horns(rng, int(length * rate), rate, freqs, 4500), length, 4)
    return x, {"length": dsp.grade(length, 0.35, 0.9, ("short", "", "long"))}


@kind(
    "steam train", "a steam train", "a steam locomotive", "a steam engine chuffing", "an old steam train",
    "a puffing locomotive", "a choo-choo train", "a steam train chugging along",
)
def steam_train(rng: np.random.Generator, n: int, rate: int) -> tuple[Signal, Attributes]:
    start, stop = dsp.log_uniform(rng, 1.5, 5.0), 0.0
    stop = start * rng.uniform(0.9, 1.5)
    p = dsp.cycles(np.linspace(start, stop, n), n, rate, rng.random())
    beat, accent = p % 1.0, np.where(np.floor(p) % 4 == 0, 1.0, 0.7)
    puff = np.minimum(1, beat / 0.06) * np.exp(-5 * beat) * accent
    chuff = dsp.bandpass(dsp.coloured(rng, n, -1.5), 200, 3500, rate, 1) * puff
    rumble = dsp.lowpass(dsp.coloured(rng, n, -5), 200, rate)
    x = dsp.unit(chuff) + 0.2 * dsp.unit(rumble)
    if dsp.chance(rng, 0.35):
        dsp.add(x, whistle(rng, int(1.3 * rate), rate), int(rng.uniform(0.1, 0.6) * n), 0.7)
    return x, {"speed": dsp.grade(start, 2.2, 3.6, ("slow", "", "fast"))}


def whistle(rng: np.random.Generator, n: int, rate: int) -> Signal:
    """Steam whistle: a chord of breathy pipes."""
    root = rng.uniform(380, 520)
    bend = dsp.curve(n, [(0, 0.9), (0.1, 1), (0.85, 1), (1, 0.88)])
    x = sum(dsp.wavetable(root * r * bend, np.array([1, 0.3, 0.2, 0.1]), n, rate) for r in (1, 1.26, 1.5, 1.88))
    steam = dsp.band_noise(rng, n, rate, 800, 6000)
    return (dsp.unit(x) + 0.25 * steam) * dsp.swell(n, rate, 0.08, 0.25)


@kind(
    "steam whistle", "a steam whistle", "a train whistle", "a steam locomotive whistle", "a factory whistle",
    "an old train whistle blowing", "a steamboat whistle",
)
def steam_whistle(rng: np.random.Generator, n: int, rate: int) -> Signal:
    length = rng.uniform(0.7, 2.0)
    x = dsp.one_shots(rng, n, rate, lambda: whistle(rng, int(length * rate), rate), length, 3)
    return dsp.room(rng, x, rate, 1.6, 0.25)


@kind(
    "helicopter", "a helicopter", "a helicopter flying", "a chopper overhead", "helicopter rotor blades",
    "a hovering helicopter", "a helicopter flying by", "rotor blades thumping", texture=True,
)
def helicopter(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(9, 17)
    p = dsp.cycles(hz * dsp.wander(rng, n, rate, 1, 0.98, 1.02), n, rate) % 1.0
    slap = np.exp(-9 * p) * np.minimum(1, p / 0.03)
    thump = dsp.unit(dsp.lowpass(dsp.coloured(rng, n, -3), 350, rate) * slap) + dsp.unit(dsp.resonate(slap, 85, 1.5, rate))
    swish = dsp.bandpass(dsp.white(rng, n), 500, 2500, rate) * (0.15 + slap)
    whine = dsp.wavetable(rng.uniform(400, 900), np.array([1, 0.2, 0.3]), n, rate)
    return (thump + 0.4 * dsp.unit(swish) + 0.06 * whine) * dsp.wander(rng, n, rate, 0.5, 0.5, 1.0)


@kind(
    "propeller plane", "a propeller plane", "a small airplane", "a propeller aircraft flying by",
    "a light aircraft", "a droning propeller plane", "an old airplane engine", "a biplane", texture=True,
)
def propeller(rng: np.random.Generator, n: int, rate: int) -> Signal:
    bend = dsp.curve(n, [(0, 1.04), (0.4, 1.03), (0.6, 0.97), (1, 0.96)]) if dsp.chance(rng, 0.5) else 1.0
    hz = rng.uniform(70, 120) * bend * dsp.wander(rng, n, rate, 1, 0.99, 1.01)
    x = dsp.wavetable(hz, dsp.saw_amplitudes(30, 0.9), n, rate) + dsp.wavetable(hz * 1.013, dsp.saw_amplitudes(30, 1.0), n, rate)
    x = dsp.body(x + 0.3 * dsp.white(rng, n), rate, [(160, 1.5, 1), (500, 2, 0.8), (1300, 2, 0.4)])
    return x * dsp.wander(rng, n, rate, 0.5, 0.5, 1)


@kind(
    "jet", "a jet flying over", "a jet plane", "a fighter jet", "an airplane taking off", "a jet engine roaring",
    "an airliner overhead", "a jet flyby",
)
def jet(rng: np.random.Generator, n: int, rate: int) -> Signal:
    middle = rng.uniform(0.3, 0.6)
    near = dsp.curve(n, [(0, 0.15), (middle, 1.0), (1, 0.25)])
    roar = dsp.sweep_lowpass(dsp.coloured(rng, n, -2.5), rate, 250 + 3500 * near**2, 1)
    hz = rng.uniform(1500, 2600) * dsp.curve(n, [(0, 1.15), (middle - 0.1, 1.12), (middle + 0.15, 0.8), (1, 0.72)])
    whine = dsp.sculpt(dsp.white(rng, n), dsp.peak_gains(n, rate, [(hz, 90, 1), (hz * 1.49, 120, 0.4)]))
    fade = dsp.curve(n, [(0, 0.2), (middle - 0.1, 1), (middle + 0.2, 0.2), (1, 0.05)])
    return dsp.unit(roar) * near**1.5 + 0.35 * dsp.unit(whine) * fade


@kind(
    "boat motor", "a motorboat", "a boat motor", "an outboard motor", "a speedboat", "a boat engine puttering",
    "a fishing boat's engine", texture=True,
)
def boat(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(30, 70) * dsp.wander(rng, n, rate, 1.2, 0.93, 1.08)
    x = engine(rng, n, rate, hz, [(120, 2, 1), (330, 3, 0.8), (850, 3, 0.3)], 0.25, 2)
    wash = dsp.band_noise(rng, n, rate, 300, 3500) * dsp.wander(rng, n, rate, 5, 0.2, 1)
    return x * dsp.wander(rng, n, rate, 7, 0.6, 1) + 0.35 * wash


@kind(
    "bicycle bell", "a bicycle bell", "a bike bell", "a bicycle bell ringing", "a cyclist ringing a bell",
    "a bike's bell going ring ring", "a ringing bicycle bell",
)
def bicycle_bell(rng: np.random.Generator, n: int, rate: int) -> Signal:
    hz = rng.uniform(1900, 2900)

    def clip() -> Signal:
        out = np.zeros(int(1.6 * rate))
        for index in range(int(rng.integers(4, 9))):
            partials = [hz * r * rng.uniform(0.999, 1.001) for r in (1, 1.007, 1.72, 2.53)]
            ding = dsp.modes(rng, int(0.9 * rate), rate, partials, [0.9, 0.9, 0.5, 0.3], [1, 0.8, 0.6, 0.4])
            dsp.add(out, ding, int(index * 0.055 * rng.uniform(0.9, 1.1) * rate), rng.uniform(0.6, 1))
        return out

    return dsp.one_shots(rng, n, rate, clip, 1.3, 3)


@kind(
    "brakes squeal", "brakes squealing", "a car skidding", "tires screeching", "screeching brakes",
    "a car braking hard", "squealing tyres", "a vehicle skidding to a halt",
)
def skid(rng: np.random.Generator, n: int, rate: int) -> Signal:
    length, base = rng.uniform(0.8, 2.2), rng.uniform(750, 1300)

    def clip() -> Signal:
        m = int(length * rate)
        hz = base * dsp.curve(m, [(0, 1.05), (0.2, 1.1), (0.8, 1.0), (1, 0.8)]) * dsp.wander(rng, m, rate, 12, 0.97, 1.03)
        tone = dsp.wavetable(hz, np.array([1, 0.5, 0.5, 0.3, 0.2]), m, rate)
        tone += 0.8 * dsp.wavetable(hz * 1.31, np.array([1, 0.4, 0.3]), m, rate)
        rough = 1 + 0.5 * dsp.lowpass(dsp.white(rng, m), 120, rate) * 3
        rubber = dsp.band_noise(rng, m, rate, 500, 3000)
        return (dsp.unit(tone * rough) + 0.5 * rubber) * dsp.swell(m, rate, 0.06, 0.2)

    return dsp.one_shots(rng, n, rate, clip, length, 2)


@kind(
    "horse carriage", "a horse-drawn carriage", "a horse and cart", "a carriage on cobblestones",
    "hooves and wagon wheels", "a horse pulling a wagon", "a horse-drawn cart rolling",
)
def carriage(rng: np.random.Generator, n: int, rate: int) -> Signal:
    rattle = dsp.body(dsp.sparks(rng, n, rate, 90, 2), rate, [(300, 3, 1), (750, 4, 0.8), (1600, 4, 0.5)])

    def hoof() -> Signal:
        m = int(0.12 * rate)
        return dsp.modes(rng, m, rate, [620 * rng.uniform(0.9, 1.1), 1300, 2100], [0.06, 0.05, 0.03], [1, 0.7, 0.4])

    hooves = dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.26, 0.4), 0.06), hoof)
    return dsp.peak(hooves) + 0.18 * dsp.unit(rattle)
