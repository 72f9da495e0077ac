"""From a mel back to sound: the vocoder alone and behind the VAE, against Griffin-Lim."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from scipy import signal
from tqdm import tqdm

from benchmarks.griffin_lim import GriffinLim
from benchmarks.quality.hearing import FRONT, Wave, fresh, log_mel
from engine.networks import Networks
from engine.training.corpus import RATE
from engine.training.spectral import multi_resolution_distance

Way = Callable[[Wave], Wave]
TONES_HZ = (110.0, 196.0, 261.6, 440.0, 659.3, 987.8, 1568.0)
VOICES = ("man speaking", "woman speaking", "child speaking", "conversation")


def ways(networks: Networks) -> dict[str, Way]:
    """Each way a wave can take to a mel and back."""
    baseline = GriffinLim()

    def mel(wave: Wave) -> torch.Tensor:
        return torch.from_numpy(log_mel(wave))

    return {
        "Griffin-Lim": lambda wave: baseline(mel(wave)[None])[0].numpy(),
        "vocoder alone": lambda wave: networks.voice(mel(wave)),
        "VAE + vocoder": lambda wave: networks.voice(
            networks.decode(networks.encode(wave))[: len(wave) // FRONT.hop]
        ),
    }


def measure(networks: Networks, clips: Iterable[Wave]) -> dict[str, dict[str, float]]:
    """Means over clips, and over tones, voices and clicks, for each way."""
    clips = [whole_hops(clip) for clip in clips]
    return {name: _row(way, clips, name) for name, way in ways(networks).items()}


def whole_hops(wave: Wave) -> Wave:
    """The wave without its last part of a hop."""
    return wave[: len(wave) // FRONT.hop * FRONT.hop]


def _row(way: Way, clips: list[Wave], name: str) -> dict[str, float]:
    closeness, distance = [], []
    for clip in tqdm(clips, desc=name, unit="clip"):
        made = way(clip)
        closeness.append(float(np.abs(log_mel(made) - log_mel(clip)).mean()))
        pair = (torch.from_numpy(made)[None], torch.from_numpy(clip)[None])
        distance.append(multi_resolution_distance(*pair).item())
    return {
        "log-mel L1": float(np.mean(closeness)),
        "multi-resolution STFT": float(np.mean(distance)),
        "pitch error, %": float(np.mean([pitch_error(way, hz) for hz in TONES_HZ])),
        "periodicity error": float(np.mean([periodicity_error(way, v) for v in VOICES])),
        "transient error, ms": transient_error_ms(way),
    }


def pitch_error(way: Way, hz: float) -> float:
    """Percent that a sustained tone of eight harmonics comes back too high or too low."""
    t = np.arange(2 * RATE) / RATE
    harmonics = (np.sin(2 * np.pi * k * hz * t + k) / k for k in range(1, 9) if k * hz < 7500)
    tone = (0.1 * sum(harmonics)).astype(np.float32)
    return abs(_pitch_hz(way(tone), hz) / hz - 1) * 100


def _pitch_hz(wave: Wave, near_hz: float) -> float:
    """Frequency of the strongest partial within a semitone and a half of `near_hz`."""
    middle = wave[len(wave) // 4 : 3 * len(wave) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 16 * len(middle)))
    hz = np.fft.rfftfreq(16 * len(middle), 1 / RATE)
    close = (hz > near_hz * 0.917) & (hz < near_hz * 1.09)
    return float(hz[close][np.argmax(spectrum[close])])


def periodicity_error(way: Way, kind: str) -> float:
    """Root mean square difference of periodicity over the voiced frames of synthetic speech."""
    source = whole_hops(fresh(kind))
    before, after = periodicity(source), periodicity(way(source))
    voiced = before > 0.6
    return float(np.sqrt(np.mean((after - before)[voiced] ** 2))) if voiced.any() else 0.0


def periodicity(wave: Wave) -> Wave:
    """Largest normalised autocorrelation at lags of 60 to 400 Hz, for frames of 40 ms every
    10 ms."""
    n, hop = RATE // 25, RATE // 100
    frames = np.lib.stride_tricks.sliding_window_view(wave, 2 * n)[::hop].astype(np.float64)
    head, lags = frames[:, :n], range(RATE // 400, RATE // 60)
    energy = (head**2).sum(1)
    best = np.zeros(len(frames))
    for lag in lags:
        other = frames[:, lag : lag + n]
        both = np.sqrt(energy * (other**2).sum(1)) + 1e-9
        best = np.maximum(best, (head * other).sum(1) / both)
    return best


def transient_error_ms(way: Way) -> float:
    """Mean distance in ms between clicks and where they come back, found by their energy."""
    rng = np.random.default_rng(7)
    places = np.arange(1, 8) * RATE // 4 + rng.integers(-500, 500, 7)
    clicks = np.zeros(2 * RATE, np.float32)
    burst = np.exp(-np.arange(400) / 60) * rng.standard_normal(400) * 0.3
    for place in places:
        clicks[place : place + 400] += burst
    made = way(clicks)
    errors = [_onset(made, int(p)) - _onset(clicks, int(p)) for p in places]
    return float(np.mean(np.abs(errors))) / RATE * 1000


def _onset(wave: Wave, near: int) -> int:
    """Sample where half of the energy within 50 ms of `near` has arrived since the loudest rise."""
    stretch = wave[near - RATE // 20 : near + RATE // 20].astype(np.float64)
    envelope = signal.lfilter([1 / 16] * 16, [1.0], stretch**2)
    peak = envelope.max()
    return int(np.argmax(envelope > 0.25 * peak))
