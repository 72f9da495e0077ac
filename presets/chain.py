"""The after-chain: pedalboard's effects over a take, one after the other.

Every channel goes through effects of its own, so that swapped channels give a swapped take and
equal ones stay equal. Effects see a level of -20 dBFS, whatever the take's: a threshold means the
same for every clip. Nothing is delayed: pedalboard makes up for what its effects delay, but for a
few milliseconds of two of them, which are measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pedalboard

from engine.errors import FaultError, RequestError
from engine.model_input import level_gain
from engine.resample import resample
from engine.samples import Samples, blocks, is_sound
from presets.effects import EFFECTS, PLUGIN
from presets.preset import Link

#: Filters at or above this share of the rate have nothing to work on.
TOP_SHARE = 0.475
#: Filters that do nothing where their frequency lies above everything there is.
_HARMLESS_ABOVE = ("LowpassFilter", "HighShelfFilter", "PeakFilter")
_MP3_RATES = (32000, 44100, 48000)
#: What a lag is measured with.
LAG_BURSTS, LAG_EVERY_S, LAG_BURST_S, MOST_LAG_S = 24, (0.21, 0.33), 0.02, 0.06
HIGH_RATE = 64000

#: Hears the share done, 0 to 1; may raise to stop.
Tell = Callable[[float], None]
_Process = Callable[[Samples, int], Samples]


def run_chain(chain: Sequence[Link], samples: Samples, rate: int, tell: Tell) -> Samples:
    """Samples through a chain, as long as they were.

    Parameters
    ----------
    chain : sequence of Link
        Without any the samples come back as they are.
    samples : ndarray of float32, shape = (n_frames, n_channels)
        A silent channel stays silent.
    rate : int
    tell : callable

    Raises
    ------
    RequestError
        `no-such-file`: an impulse response or a plugin that isn't there; `unreadable-audio`;
        `bad-value`: an effect this pedalboard hasn't, a plugin that won't take what it is told.
    FaultError
        `internal`: an effect gave NaN; a plugin crashed or hung.
    """
    if not chain:
        return samples
    gain = reference_gain(samples, rate)
    made = samples * np.float32(gain)
    for index, link in enumerate(chain):
        made = _linked(link, made, rate, _share(tell, index, len(chain)))
        if not all(is_sound(made[start:stop]).all() for start, stop in blocks(0, *made.shape)):
            name = link.settings.get("plugin", link.effect)
            raise FaultError("internal", f"{name} gave samples that are no sound; leave it out")
    made /= np.float32(gain)
    return made


def reference_gain(samples: Samples, rate: int) -> float:
    """Gain to -20 dBFS active RMS over all channels, whatever their order; 1 for silence."""
    level = np.empty(len(samples), np.float32)
    for start, stop in blocks(0, *samples.shape):
        # Sorted per frame, so that the order of the channels doesn't matter.
        squares = np.sort(np.square(samples[start:stop], dtype=np.float64), axis=1)
        level[start:stop] = np.sqrt(squares.mean(axis=1))
    return level_gain(level, rate)


def _share(tell: Tell, index: int, n_parts: int) -> Tell:
    return lambda fraction: tell((index + fraction) / n_parts)


def _linked(link: Link, samples: Samples, rate: int, tell: Tell) -> Samples:
    if link.effect == PLUGIN:
        from presets.plugins import run_plugin

        return run_plugin(link, samples, rate, tell)
    process = _process_of(link, rate)
    made = np.zeros_like(samples)
    for channel in range(samples.shape[1]):
        tell(channel / samples.shape[1])
        wave = np.ascontiguousarray(samples[:, channel])
        if wave.any():
            made[:, channel] = process(wave, rate)
    return made


def _process_of(link: Link, rate: int) -> _Process:
    settings = dict(link.settings)
    for name in ("cutoff_frequency_hz", "cutoff_hz", "centre_frequency_hz"):
        if settings.get(name, 0.0) > TOP_SHARE * rate:
            if link.effect in _HARMLESS_ABOVE or settings.get("mode", "").startswith("LPF"):
                return lambda wave, rate: wave
            settings[name] = TOP_SHARE * rate
    if link.effect == "Resample" and settings.get("target_sample_rate", 8000.0) >= rate:
        return lambda wave, rate: wave
    if link.effect == "Convolution":
        _check_impulse(settings)
    plugin = _plugin(link.effect, settings)

    def process(wave: Samples, rate: int) -> Samples:
        made: Samples = plugin.process(wave[np.newaxis], rate)[0]
        return made

    if link.effect == "MP3Compressor":
        return _at_mp3_rates(process)
    if link.effect == "PitchShift" or (link.effect == "Chorus" and settings.get("mix") == 1.0):
        return _in_place(process, _lag_frames(link.effect, tuple(settings.items()), rate))
    return process


def _plugin(effect: str, settings: Mapping[str, Any]) -> pedalboard.Plugin:
    kind = getattr(pedalboard, effect, None)
    if kind is None:
        raise RequestError(
            "bad-value",
            f"pedalboard {version('pedalboard')} has no {effect}; "
            f"there are: {', '.join(name for name in EFFECTS if hasattr(pedalboard, name))}",
        )
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if effect == "LadderFilter" and name == "mode":
            value = getattr(pedalboard.LadderFilter.Mode, value)
        elif effect == "Resample" and name == "quality":
            value = getattr(pedalboard.Resample.Quality, value)
        values[name] = value
    plugin: pedalboard.Plugin = kind(**values)
    return plugin


def _check_impulse(settings: Mapping[str, Any]) -> None:
    from engine.region import read

    read(settings["impulse_response_filename"], context_s=0.0)


def _in_place(process: _Process, lag_frames: int) -> _Process:
    """The same without a lag that pedalboard doesn't make up for."""

    def moved(wave: Samples, rate: int) -> Samples:
        room = np.zeros(abs(lag_frames), np.float32)
        if lag_frames < 0:
            return process(np.concatenate([room, wave]), rate)[: len(wave)]
        return process(np.concatenate([wave, room]), rate)[lag_frames:]

    return moved


@lru_cache(maxsize=64)
def _lag_frames(effect: str, settings: tuple[tuple[str, Any], ...], rate: int) -> int:
    """How much later than its source an effect sounds: where the envelopes are most alike."""
    if rate >= HIGH_RATE:  # the same in milliseconds, and dear to measure
        return 2 * _lag_frames(effect, settings, rate // 2)
    train = _bursts(rate)
    made = _plugin(effect, dict(settings)).process(train[np.newaxis], rate)[0]
    step = max(1, rate // 8000)
    before, after = _envelope(train, step), _envelope(made, step)
    alike = np.fft.irfft(np.fft.rfft(after) * np.conj(np.fft.rfft(before)), len(before))
    reach = round(MOST_LAG_S * rate / step)
    near = np.concatenate([alike[-reach:], alike[: reach + 1]])
    return int(np.argmax(near) - reach) * step


def _bursts(rate: int) -> Samples:
    """A train of bursts that die away, at irregular times: grains of a shifter fall everywhere."""
    rng = np.random.default_rng(0)
    times_s = np.cumsum(rng.uniform(*LAG_EVERY_S, LAG_BURSTS))
    train = np.zeros(round((times_s[-1] + LAG_EVERY_S[1]) * rate), np.float32)
    long = round(10 * LAG_BURST_S * rate)
    decay = np.exp(-np.arange(long) / (LAG_BURST_S * rate))
    for start in (times_s * rate).astype(np.int64):
        train[start : start + long] = 0.1 * rng.standard_normal(long) * decay
    return train


def _envelope(wave: Samples, step: int) -> npt.NDArray[np.float64]:
    """Level in pieces of `step` frames, without its mean."""
    power = np.square(wave[: len(wave) // step * step], dtype=np.float64)
    level = np.sqrt(power.reshape(-1, step).mean(axis=1))
    return np.asarray(level - level.mean())


def _at_mp3_rates(process: _Process) -> _Process:
    """The same at a rate MP3 knows."""

    def resampled(wave: Samples, rate: int) -> Samples:
        if rate in _MP3_RATES:
            return process(wave, rate)
        near = min((r for r in _MP3_RATES if r >= rate), default=_MP3_RATES[-1])
        n_near = -(-len(wave) * near // rate)
        made = process(resample(wave, rate, near, n_near), near)
        return resample(made, near, rate, len(wave))

    return resampled
