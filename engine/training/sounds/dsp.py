"""Building blocks of the synthesised sounds: noise, oscillators, resonators, envelopes, placing.

Everything works on mono float arrays of shape = (n_samples,); lengths are in samples, times in
seconds, frequencies in Hz. Every random choice comes from the generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

Signal = NDArray[np.floating]
Curve = Signal | float  # one value, or one per sample

TABLE_SIZE = 8192  # of one wavetable cycle; read without interpolation, about 70 dB clean
FRAME = 512  # of the short-time Fourier transform in `sculpt`
HOP = 128
BLOCK = 256  # samples, of the matrix product in `modes`


# -- random numbers ------------------------------------------------------------------------------


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """One number between `low` and `high`, even on a logarithmic scale."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def chance(rng: np.random.Generator, probability: float) -> bool:
    return bool(rng.random() < probability)


def pick(rng: np.random.Generator, items: Sequence):
    return items[int(rng.integers(len(items)))]


def grade(value: float, low: float, high: float, names: Sequence[str]) -> str:
    """The name of the third that `value` lies in: below `low`, between, or above `high`."""
    return names[0] if value < low else names[2] if value > high else names[1]


def wander(
    rng: np.random.Generator, n: int, rate: int, per_second: float, low: float, high: float
) -> Signal:
    """A smooth random curve between `low` and `high` with about `per_second` turns a second."""
    n_knots = max(2, int(np.ceil(n / rate * per_second)) + 2)
    knots = rng.uniform(low, high, n_knots)
    position = np.arange(n) * (per_second / rate) + rng.random() * 0.999
    index = np.minimum(position.astype(int), n_knots - 2)
    fraction = np.clip(position - index, 0.0, 1.0)
    fraction = fraction * fraction * (3.0 - 2.0 * fraction)
    return knots[index] + fraction * (knots[index + 1] - knots[index])


# -- noise ---------------------------------------------------------------------------------------


def white(rng: np.random.Generator, n: int) -> Signal:
    """White noise of RMS 1."""
    return rng.standard_normal(n, dtype=np.float32).astype(np.float64)


def coloured(rng: np.random.Generator, n: int, db_per_octave: float) -> Signal:
    """Noise of RMS 1 whose level falls or rises by `db_per_octave` (pink: -3, brown: -6)."""
    size = fft.next_fast_len(n, real=True)
    spectrum = fft.rfft(white(rng, size))
    bins = np.maximum(np.arange(spectrum.size), 8.0)  # flat below a few Hz
    x = fft.irfft(spectrum * bins ** (db_per_octave / 6.0206), size)[:n]
    return x / (rms(x) + 1e-12)


def band_noise(rng: np.random.Generator, n: int, rate: int, low_hz: float, high_hz: float):
    """Noise of RMS 1 between two frequencies, edges of 12 dB an octave."""
    return unit(bandpass(white(rng, n), low_hz, high_hz, rate))


def sparks(rng: np.random.Generator, n: int, rate: int, per_second: Curve, skew: float = 2.0):
    """Single-sample impulses at random times; larger `skew`, fewer loud ones."""
    hit = rng.random(n) < np.asarray(per_second) / rate
    return np.where(hit, rng.random(n) ** skew * rng.choice((-1.0, 1.0), n), 0.0)


# -- filters -------------------------------------------------------------------------------------


def _edge(hz: float, rate: int) -> float:
    return float(np.clip(hz, 5.0, 0.49 * rate))


@lru_cache(maxsize=1024)
def _butterworth(edges: tuple[float, ...], shape: str, rate: int, order: int) -> NDArray:
    return signal.butter(
        order, edges if shape == "band" else edges[0], shape, fs=rate, output="sos"
    )


def lowpass(x: Signal, hz: float, rate: int, order: int = 2) -> Signal:
    return signal.sosfilt(_butterworth((_edge(hz, rate),), "low", rate, order), x)


def highpass(x: Signal, hz: float, rate: int, order: int = 2) -> Signal:
    return signal.sosfilt(_butterworth((_edge(hz, rate),), "high", rate, order), x)


def bandpass(x: Signal, low_hz: float, high_hz: float, rate: int, order: int = 2) -> Signal:
    low, high = _edge(low_hz, rate), _edge(high_hz, rate)
    if high <= low * 1.02:
        low, high = high / 1.1, high
    return signal.sosfilt(_butterworth((low, high), "band", rate, order), x)


def resonate(x: Signal, hz: float, q: float, rate: int) -> Signal:
    """Two-pole resonator with unit gain at `hz`."""
    w = 2 * np.pi * _edge(hz, rate) / rate
    gain = 1.0 / (1.0 + np.tan(min(w / (2 * q), 1.5)))
    a = np.array([1.0, -2.0 * gain * np.cos(w), 2.0 * gain - 1.0])
    return signal.lfilter(np.array([1.0 - gain, 0.0, gain - 1.0]), a, x)


def body(x: Signal, rate: int, peaks: Iterable[tuple[float, float, float]], dry: float = 0.0):
    """Sum of resonances (hz, q, gain), the hollow body around a source."""
    return dry * x + sum(gain * resonate(x, hz, q, rate) for hz, q, gain in peaks)


# -- shaping in time and frequency ---------------------------------------------------------------


def frame_count(n: int) -> int:
    return n // HOP + 4


def frame_curve(curve: Curve, n: int) -> Signal:
    """A per-sample curve read at the frames of `sculpt`, shape = (n_frames,)."""
    centres = np.clip(np.arange(frame_count(n)) * HOP - FRAME // 2 + HOP, 0, n - 1)
    return np.broadcast_to(curve, n)[centres]


def bins_hz(rate: int) -> Signal:
    return np.arange(FRAME // 2 + 1) * (rate / FRAME)


def sculpt(x: Signal, gains: Signal) -> Signal:
    """Filter that changes over time; gains shape = (n_frames or 1, FRAME // 2 + 1)."""
    n, n_frames = x.size, frame_count(x.size)
    padded = np.zeros((n_frames + 3) * HOP)
    padded[FRAME - HOP : FRAME - HOP + n] = x
    window = np.sqrt(signal.windows.hann(FRAME, sym=False))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP] * window
    frames = fft.irfft(fft.rfft(frames) * gains, FRAME) * window  # (n_frames, FRAME)
    out = np.zeros((n_frames + 3, HOP))
    for part in range(FRAME // HOP):
        out[part : part + n_frames] += frames[:, part * HOP : (part + 1) * HOP]
    return out.ravel()[FRAME - HOP : FRAME - HOP + n] / 2.0


def peak_gains(n: int, rate: int, tracks: Sequence[tuple[Curve, float, float]]) -> Signal:
    """Gains for `sculpt` from moving resonances (centre Hz curve, bandwidth Hz, level)."""
    hz = bins_hz(rate)[None, :]
    total = np.zeros((frame_count(n), FRAME // 2 + 1))
    for centre, bandwidth, level in tracks:
        distance = (hz - frame_curve(centre, n)[:, None]) / (0.5 * bandwidth)
        total += level / (1.0 + distance * distance)
    return total


def sweep_band(x: Signal, rate: int, centre_hz: Curve, octaves: float) -> Signal:
    """Bandpass whose centre follows a curve; bell of `octaves` half width."""
    hz = np.maximum(bins_hz(rate), 20.0)[None, :]
    distance = np.log2(hz / frame_curve(centre_hz, x.size)[:, None]) / octaves
    return sculpt(x, np.exp(-0.5 * distance * distance))


def sweep_lowpass(x: Signal, rate: int, cutoff_hz: Curve, order: int = 4) -> Signal:
    """Lowpass whose cutoff follows a curve."""
    ratio = bins_hz(rate)[None, :] / frame_curve(cutoff_hz, x.size)[:, None]
    return sculpt(x, 1.0 / np.sqrt(1.0 + ratio ** (2 * order)))


# -- oscillators ---------------------------------------------------------------------------------


def cycles(hz: Curve, n: int, rate: int, start: float = 0.0) -> Signal:
    """Phase in cycles of an oscillator that follows a frequency curve."""
    if np.ndim(hz) == 0:
        return start + np.arange(n) * (float(hz) / rate)
    return start + np.cumsum(hz) / rate


def sine(hz: Curve, n: int, rate: int, start: float = 0.0) -> Signal:
    return np.sin(2 * np.pi * cycles(hz, n, rate, start))


def wavetable(hz: Curve, amplitudes: Signal, n: int, rate: int, start: float = 0.0) -> Signal:
    """Harmonic oscillator of given harmonic amplitudes; those over Nyquist are left out."""
    n_harmonics = min(len(amplitudes), max(1, int(0.47 * rate / max(float(np.max(hz)), 1.0))))
    spectrum = np.zeros(TABLE_SIZE // 2 + 1, dtype=complex)
    spectrum[1 : n_harmonics + 1] = -0.5j * np.asarray(amplitudes[:n_harmonics]) * TABLE_SIZE
    table = fft.irfft(spectrum, TABLE_SIZE)
    position = (cycles(hz, n, rate, start) * TABLE_SIZE).astype(np.int64)
    return table[position & (TABLE_SIZE - 1)]


def saw_amplitudes(count: int = 80, slope: float = 1.0) -> Signal:
    """Harmonics falling by 6 dB an octave times `slope`."""
    return 1.0 / np.arange(1, count + 1) ** slope


def square_amplitudes(count: int = 80) -> Signal:
    harmonics = np.arange(1, count + 1)
    return np.where(harmonics % 2 == 1, 1.0 / harmonics, 0.0)


def pulse_amplitudes(width: float, count: int = 80) -> Signal:
    harmonics = np.arange(1, count + 1)
    return np.sin(np.pi * harmonics * width) / harmonics


def saw(hz: Curve, n: int, rate: int, start: float = 0.0) -> Signal:
    return wavetable(hz, saw_amplitudes(), n, rate, start)


def square(hz: Curve, n: int, rate: int, start: float = 0.0) -> Signal:
    return wavetable(hz, square_amplitudes(), n, rate, start)


def firings(rng: np.random.Generator, hz: Curve, n: int, rate: int, spread: float, group: int = 4):
    """One impulse a cycle; `group` cylinders each with its own strength, plus a random spread."""
    phase = cycles(np.broadcast_to(hz, n), n, rate, rng.random())
    index = np.floor(phase).astype(int)
    hits = np.flatnonzero(np.diff(index, prepend=index[0]) > 0)
    own = 1.0 + 0.5 * spread * rng.standard_normal(group)
    out = np.zeros(n)
    out[hits] = own[np.arange(hits.size) % group] * (1 + spread * rng.standard_normal(hits.size))
    return out


def vibrato(
    rng: np.random.Generator, hz: Curve, n: int, rate: int, depth: float, per_second: float
) -> Signal:
    """A frequency curve with vibrato that sets in and a little drift; depth as a fraction."""
    onset = np.minimum(1.0, np.arange(n) / (0.35 * rate))
    wave = np.sin(2 * np.pi * cycles(per_second, n, rate, rng.random()))
    return hz * (1.0 + depth * onset * wave + wander(rng, n, rate, 4, -0.2 * depth, 0.2 * depth))


# -- struck and plucked --------------------------------------------------------------------------


def modes(
    rng: np.random.Generator,
    n: int,
    rate: int,
    freqs_hz: Sequence[float],
    t60_s: Sequence[float],
    amplitudes: Sequence[float],
) -> Signal:
    """A struck body: a sum of dying sinusoids.

    Every mode is a power of its complex pole. Powers at block starts times powers within a block
    make the sum over all modes one small matrix product.
    """
    hz, t60 = np.asarray(freqs_hz, float), np.asarray(t60_s, float)
    phase = np.exp(2j * np.pi * rng.random(hz.size))
    level = np.where(hz < 0.48 * rate, np.asarray(amplitudes, float), 0.0)
    pole = (-6.91 / t60 + 2j * np.pi * hz) / rate
    starts = np.arange(0, n, BLOCK)
    coarse = level * phase * np.exp(starts[:, None] * pole)  # (n_blocks, n_modes)
    fine = np.exp(pole[:, None] * np.arange(BLOCK))  # (n_modes, BLOCK)
    out = (coarse.real @ fine.imag + coarse.imag @ fine.real).ravel()[:n]
    ramp = min(n, max(2, int(0.0008 * rate)))
    out[:ramp] *= np.linspace(0.0, 1.0, ramp)
    return out


def string(
    rng: np.random.Generator,
    n: int,
    rate: int,
    hz: float,
    t60_s: float,
    brightness: float = 0.5,
    pluck_at: float = 0.2,
    stiffness: float = 0.0,
) -> Signal:
    """A plucked string: Karplus & Strong's loop, solved in the frequency domain.

    The loop's response 1 / (1 - g L(w) e^-jwD) is evaluated on a circle a little outside the unit
    circle, so that the tail that would wrap around has died by 60 dB.
    """
    size = fft.next_fast_len(2 * n, real=True)
    shrink = np.exp(-3.45 / size)
    w = 2 * np.pi * np.arange(size // 2 + 1) / size
    delay = rate / hz
    gain = 10.0 ** (-3.0 * delay / (t60_s * rate)) * shrink**delay
    damping = 1.0 / (1.0 + (1.05 - brightness) * 0.02 * (w * rate / 6283.0) ** 2)
    harmonic = w * delay / (2 * np.pi)
    stretch = 1.0 - 0.5 * stiffness * harmonic**2  # higher partials come round earlier
    loop = gain * damping * np.exp(-1j * w * delay * np.maximum(stretch, 0.5))
    tilt = 1.0 / (1.0 + (w * rate / (2 * np.pi) / (300.0 + 6000.0 * brightness**2)) ** 2)
    comb = 1.0 - np.exp(-1j * w * delay * pluck_at)
    noise = np.exp(1j * rng.uniform(-0.6, 0.6, w.size))
    x = fft.irfft(tilt * comb * noise / (1.0 - loop), size)[:n]
    return unit(x * shrink ** -np.arange(n)) if n else x


# -- envelopes -----------------------------------------------------------------------------------


def decay(n: int, rate: int, t60_s: float, attack_s: float = 0.001) -> Signal:
    """Rises for `attack_s`, then falls by 60 dB in `t60_s`."""
    t = np.arange(n) / rate
    return np.minimum(1.0, t / max(attack_s, 1e-4)) * np.exp(-6.91 / t60_s * t)


def swell(n: int, rate: int, attack_s: float, release_s: float) -> Signal:
    """Rises smoothly, stays, falls smoothly; both times are cut to half of the length."""
    out = np.ones(n)
    up, down = (max(1, min(int(s * rate), n // 2)) for s in (attack_s, release_s))
    out[:up] = 0.5 - 0.5 * np.cos(np.pi * np.arange(up) / up)
    out[n - down :] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, down + 1) / down)
    return out


def curve(n: int, points: Sequence[tuple[float, float]]) -> Signal:
    """Straight lines through (position from 0 to 1, value)."""
    positions, values = zip(*points, strict=True)
    return np.interp(np.linspace(0.0, 1.0, n), positions, values)


def gate(n: int, rate: int, hz: float, duty: float = 0.5, edge_s: float = 0.004) -> Signal:
    """On and off `hz` times a second, with soft edges; starts on."""
    on = (cycles(hz, n, rate) % 1.0 < duty).astype(float)
    width = max(1, int(edge_s * rate))
    return signal.lfilter(np.ones(width) / width, 1.0, on)


# -- placing -------------------------------------------------------------------------------------


def add(out: Signal, clip: Signal, start: int, gain: float = 1.0) -> None:
    """Mix a clip into `out` from sample `start` on; what sticks out on either side is lost."""
    first, last = max(0, start), min(out.size, start + clip.size)
    if last > first:
        out[first:last] += gain * clip[first - start : last - start]


def beat(rng: np.random.Generator, length_s: float, period_s: float, jitter: float = 0.05):
    """Times of something regular, in seconds, with a random start within the first period."""
    times, t = [], rng.uniform(0.02, 0.7) * min(period_s, length_s * 0.4)
    while t < length_s:
        times.append(t)
        t += period_s * max(0.2, 1.0 + jitter * rng.standard_normal())
    return times


def scattered(rng: np.random.Generator, length_s: float, per_second: float, least: int = 1):
    """Times of something irregular, in seconds, sorted; at least `least` of them."""
    count = max(least, int(rng.poisson(per_second * length_s)))
    return sorted(rng.uniform(0.0, length_s * 0.95, count))


def place(
    n: int, rate: int, times: Iterable[float], clip: Callable[[], Signal], gains: Curve = 1.0
) -> Signal:
    """A new clip at every time."""
    out = np.zeros(n)
    for time in times:
        add(out, clip(), int(time * rate))
    return out * gains


def one_shots(
    rng: np.random.Generator,
    n: int,
    rate: int,
    clip: Callable[[], Signal],
    length_s: float,
    most: int = 3,
) -> Signal:
    """One clip at a random place, or a few with pauses between them."""
    room = n / rate
    count = int(rng.integers(1, max(1, min(most, int(room / (1.2 * length_s)))) + 1))
    slot = room / count
    spare = max(0.0, slot - length_s)
    first = rng.uniform(0.0, min(0.6 * spare, 1.0) + 1e-6)
    times = [first + index * slot * rng.uniform(0.9, 1.0) for index in range(count)]
    return place(n, rate, times, clip)


# -- levels and rooms ----------------------------------------------------------------------------


def rms(x: Signal) -> float:
    return float(np.sqrt(np.mean(np.square(x)))) if x.size else 0.0


def unit(x: Signal) -> Signal:
    """Scaled to RMS 1."""
    return x / (rms(x) + 1e-12)


def peak(x: Signal, level: float = 1.0) -> Signal:
    """Scaled to a peak of `level`."""
    return x * (level / (float(np.max(np.abs(x), initial=0.0)) + 1e-12))


def drive(x: Signal, gain: float) -> Signal:
    """Soft saturation."""
    return np.tanh(gain * x) / np.tanh(gain)


def db(value: float) -> float:
    """Factor of a level in dB."""
    return float(10.0 ** (value / 20.0))


def room(rng: np.random.Generator, x: Signal, rate: int, t60_s: float, wet: float) -> Signal:
    """Reverberation by a tail of dying noise that grows darker; same length as `x`."""
    length = max(16, min(int(t60_s * rate), 4 * rate))
    tail = white(rng, length) * np.exp(-6.91 * np.arange(length) / length)
    tail = lowpass(tail, 4500, rate, 1)
    tail[: max(1, int(0.008 * rate))] *= 0.2
    echoes = signal.oaconvolve(x, tail / np.sqrt(np.sum(tail**2)))[: x.size]
    return (1.0 - wet) * x + wet * echoes
