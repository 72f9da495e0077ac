"""Noises of the human body."""

from __future__ import annotations

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Signal
from engine.training.sounds.kinds import Sound, kind
from engine.training.sounds.throat import voiced


@kind(
    "cough",
    "a person coughing, a cough, someone coughing, coughing, a bad cough, a man coughing, "
    "clearing of the throat and coughing",
)
def cough(rng: np.random.Generator, n: int, rate: int) -> Signal:
    tract = rng.uniform(0.92, 1.08)

    def clip() -> Signal:
        m = int(rng.uniform(0.25, 0.38) * rate)
        burst = dsp.white(rng, m) * dsp.curve(
            m, [(0, 0), (0.03, 1), (0.25, 0.35), (0.7, 0.25), (1, 0)]
        )
        tone = voiced(
            rng,
            m,
            rate,
            150 / tract * dsp.curve(m, [(0, 1.3), (1, 0.8)]),
            [(0, "uh"), (1, "a")],
            tract,
        )
        tracks = [(650 / tract, 250, 1.0), (1500 / tract, 400, 0.7), (3000 / tract, 900, 0.4)]
        noise = dsp.unit(dsp.sculpt(burst, dsp.peak_gains(m, rate, tracks)))
        return noise + 0.5 * tone * dsp.curve(m, [(0, 0), (0.3, 0.1), (0.5, 1), (1, 0)])

    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.45, 1.3), 0.35), clip)


@kind(
    "sneeze",
    "a sneeze, a person sneezing, someone sneezing, an achoo, a loud sneeze, a man sneezing, "
    "sneezing",
)
def sneeze(rng: np.random.Generator, n: int, rate: int) -> Signal:
    tract = rng.uniform(0.92, 1.08)

    def clip() -> Signal:
        m = int(0.45 * rate)
        inhale = dsp.sweep_band(dsp.white(rng, m), rate, dsp.curve(m, [(0, 900), (1, 2200)]), 0.6)
        inhale = dsp.unit(inhale) * dsp.curve(m, [(0, 0), (0.8, 0.25), (1, 0)])
        k = int(0.5 * rate)
        hiss = dsp.bandpass(dsp.white(rng, k), 1800, 6500, rate) * dsp.curve(
            k, [(0, 0), (0.03, 1), (0.25, 0.9), (0.4, 0.2), (1, 0)]
        )
        oo = voiced(
            rng,
            k,
            rate,
            260 / tract * dsp.curve(k, [(0, 1.3), (1, 0.6)]),
            [(0, "i"), (0.4, "u"), (1, "u")],
            tract,
        )
        return np.concatenate(
            [
                inhale,
                1.6 * dsp.unit(hiss)
                + oo * dsp.curve(k, [(0, 0), (0.05, 0.8), (0.3, 1), (0.9, 0), (1, 0)]),
            ]
        )

    return dsp.one_shots(rng, n, rate, clip, 1.0, 3)


@kind(
    "breathing",
    "breathing, a person breathing, heavy breathing, someone breathing heavily, inhaling and "
    "exhaling, breaths, the breath of a person",
    words={
        "speed": {
            "fast": ("fast", "quick", "=panting", "=someone out of breath"),
            "slow": ("slow", "deep", "=slow deep breaths"),
        }
    },
)
def breathing(rng: np.random.Generator, n: int, rate: int) -> Sound:
    period = dsp.log_uniform(rng, 0.7, 3.5)
    p = dsp.cycles(1 / period, n, rate, rng.random()) % 1.0
    inhale = np.clip(np.sin(np.pi * p / 0.42), 0, None) * (p < 0.42)
    exhale = np.clip(np.sin(np.pi * (p - 0.5) / 0.45), 0, None) * (p > 0.5) * (p < 0.95)
    noise = dsp.white(rng, n)
    high = dsp.sculpt(noise, dsp.peak_gains(n, rate, [(1700.0, 900, 1), (3800.0, 1500, 0.6)]))
    low = dsp.sculpt(
        noise, dsp.peak_gains(n, rate, [(600.0, 400, 1), (1300.0, 600, 0.8), (2800.0, 900, 0.3)])
    )
    return 0.7 * dsp.unit(high) * inhale + dsp.unit(low) * exhale, {
        "speed": dsp.grade(period, 1.2, 2.4, ("fast", "", "slow"))
    }


@kind(
    "snoring",
    "snoring, a person snoring, someone snoring loudly, a man snoring, a snore, a sleeping man "
    "snoring, loud snores",
)
def snoring(rng: np.random.Generator, n: int, rate: int) -> Signal:
    period = rng.uniform(2.2, 4.0)
    p = dsp.cycles(1 / period, n, rate, rng.random()) % 1.0
    inhale = np.clip(np.sin(np.pi * p / 0.45), 0, None) ** 0.7 * (p < 0.45)
    flaps = dsp.firings(
        rng, rng.uniform(28, 55) * dsp.wander(rng, n, rate, 4, 0.85, 1.2), n, rate, 0.25
    )
    rattle = dsp.body(flaps, rate, [(180, 2, 1), (450, 3, 0.8), (1100, 4, 0.5), (2300, 4, 0.2)])
    exhale = np.clip(np.sin(np.pi * (p - 0.55) / 0.4), 0, None) * (p > 0.55) * (p < 0.95)
    return dsp.unit(rattle * inhale) + 0.12 * exhale * dsp.band_noise(rng, n, rate, 600, 3000)


@kind(
    "heartbeat",
    "a heartbeat, a heart beating, a beating heart, a human heartbeat, heartbeats, a thumping "
    "heart, the lub-dub of a heart",
)
def heartbeat(rng: np.random.Generator, n: int, rate: int) -> Sound:
    per_minute = dsp.log_uniform(rng, 50, 150)

    def thump(hz: float, t60: float) -> Signal:
        m = int(0.25 * rate)
        return dsp.sine(hz * np.exp(-6 * np.arange(m) / rate) + 28, m, rate) * dsp.decay(
            m, rate, t60, 0.008
        )

    def clip() -> Signal:
        out = np.zeros(int(0.7 * rate))
        dsp.add(out, thump(48, 0.22), 0)
        dsp.add(out, thump(62, 0.16), int(min(0.3, 21 / per_minute) * rate), 0.7)
        return out

    x = dsp.place(n, rate, dsp.beat(rng, n / rate, 60 / per_minute, 0.02), clip)
    noise = 0.004 * dsp.coloured(rng, n, -3)
    return dsp.lowpass(dsp.drive(x, 2.0), 400, rate) + noise, {
        "speed": dsp.grade(per_minute, 70, 105, ("slow", "", "fast"))
    }


@kind(
    "eating",
    "someone eating an apple, crunchy eating, a person chewing, biting into an apple, chewing "
    "crisps, munching noises, someone eating crunchy food",
)
def eating(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def bite() -> Signal:
        m = int(rng.uniform(0.12, 0.3) * rate)
        grains = dsp.sparks(rng, m, rate, 900 * dsp.decay(m, rate, 0.4, 0.02), 3)
        return dsp.unit(
            dsp.body(grains, rate, [(450, 2, 0.8), (1300, 2, 1), (3200, 2, 0.8)])
        ) * rng.uniform(0.3, 1)

    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.35, 0.6), 0.15), bite)


@kind(
    "drinking",
    "someone drinking, gulping down a drink, a person swallowing water, slurping, gulping, "
    "sipping and swallowing",
)
def drinking(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def gulp() -> Signal:
        m = int(0.22 * rate)
        tone = dsp.sine(dsp.curve(m, [(0, 180), (0.4, 330), (1, 210)]), m, rate) * dsp.swell(
            m, rate, 0.03, 0.12
        )
        wet = dsp.body(dsp.sparks(rng, m, rate, 250, 2), rate, [(700, 5, 1), (1500, 5, 0.8)])
        return tone + 0.5 * dsp.unit(wet) * dsp.decay(m, rate, 0.15, 0.01)

    return dsp.place(n, rate, dsp.beat(rng, n / rate, rng.uniform(0.5, 0.9), 0.1), gulp)


@kind(
    "burp",
    "a burp, a person burping, a loud belch, someone burping, a belch, burping after a meal",
)
def burp(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(0.4, 1.0) * rate)
        flaps = dsp.firings(
            rng, rng.uniform(55, 85) * dsp.wander(rng, m, rate, 6, 0.8, 1.25), m, rate, 0.3, 3
        )
        mouth = dsp.curve(m, [(0, 350), (0.4, 650), (1, 400)])
        return dsp.unit(
            dsp.sculpt(
                flaps,
                dsp.peak_gains(
                    m, rate, [(mouth, 150, 1), (2.3 * mouth, 250, 0.5), (2500.0, 500, 0.15)]
                ),
            )
        ) * dsp.swell(m, rate, 0.04, 0.1)

    return dsp.one_shots(rng, n, rate, clip, 1.0, 3)


@kind(
    "fart",
    "a fart, flatulence, someone farting, a whoopee cushion, passing gas, a raspberry noise",
)
def fart(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m = int(rng.uniform(0.3, 1.1) * rate)
        hz = rng.uniform(70, 160) * dsp.wander(rng, m, rate, 4, 0.7, 1.35)
        flaps = dsp.firings(rng, hz, m, rate, 0.25, 2)
        x = dsp.body(flaps, rate, [(260, 2, 1), (700, 2, 0.7), (1500, 2, 0.3)])
        return dsp.unit(x) * dsp.swell(m, rate, 0.02, 0.15) * dsp.wander(rng, m, rate, 12, 0.6, 1)

    return dsp.one_shots(rng, n, rate, clip, 1.1, 3)


@kind(
    "kiss",
    "a kiss, a kissing sound, someone giving a kiss, a smooch, kissing, a peck on the cheek",
)
def kiss(rng: np.random.Generator, n: int, rate: int) -> Signal:
    def clip() -> Signal:
        m, k = int(rng.uniform(0.1, 0.3) * rate), int(0.06 * rate)
        suck = dsp.sweep_band(dsp.white(rng, m), rate, dsp.curve(m, [(0, 1800), (1, 3200)]), 0.4)
        pop = dsp.sine(dsp.curve(k, [(0, 700), (1, 1900)]), k, rate) * dsp.decay(k, rate, 0.05)
        return np.concatenate([0.5 * dsp.unit(suck) * dsp.curve(m, [(0, 0), (1, 1)]), 1.4 * pop])

    return dsp.one_shots(rng, n, rate, clip, 0.4, 5)
