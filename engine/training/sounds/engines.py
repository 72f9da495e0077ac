"""Combustion engines, horns and driving past."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.training.sounds import dsp
from engine.training.sounds.dsp import Curve, Signal

Peaks = Sequence[tuple[float, float, float]]


def engine(
    rng: np.random.Generator,
    n: int,
    rate: int,
    fires_hz: Curve,
    exhaust: Peaks,
    spread: float = 0.15,
    cylinders: int = 4,
    hiss: float = 0.3,
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


def rev_curve(rng: np.random.Generator, n: int, rate: int, low: float, high: float) -> Signal:
    """Engine speed with the throttle blipped a few times."""
    target = np.full(n, low)
    for time in dsp.beat(rng, n / rate, rng.uniform(1.0, 2.0), 0.2):
        start, length = int(time * rate), int(rng.uniform(0.3, 0.9) * rate)
        target[start : start + length] = rng.uniform(0.6 * high, high)
    return np.maximum(dsp.lowpass(target - low, 0.9, rate, 1) + low, low)


def horns(
    rng: np.random.Generator, n: int, rate: int, freqs: Sequence[float], top_hz: float
) -> Signal:
    """Air horns: rich waves that set in with a little sag of pitch."""
    sag = dsp.curve(n, [(0, 0.94), (0.06, 1.0), (0.95, 1.0), (1, 0.97)])
    x = sum(dsp.saw(f * sag * rng.uniform(0.997, 1.003), n, rate, rng.random()) for f in freqs)
    x = dsp.drive(dsp.unit(x), 1.2) + 0.05 * dsp.white(rng, n)
    return dsp.bandpass(x, 0.7 * min(freqs), top_hz, rate, 1) * dsp.swell(n, rate, 0.08, 0.15)
