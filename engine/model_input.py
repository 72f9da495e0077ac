"""Host domain to model domain: one channel, the checkpoint's rate, a known level.

    before | region | after   ──►   channels to one   ──►   level to -20 dBFS   ──►   ModelInput

Host frame 0 of the span is model sample 0, whatever the two rates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine import units
from engine.region import Region
from engine.resample import resample
from engine.samples import Samples
from engine.stft import Bins, BlockStft

#: Level the networks are fed, as active RMS; the training corpus is brought to the same.
REFERENCE_DBFS = -20.0
#: Peak that no input exceeds, so that a lone click is not blown up.
PEAK = 0.99
#: Pieces quieter than the loudest by more than 30 dB don't count as active.
ACTIVE_SHARE = 1e-3
ACTIVE_S = 0.01
#: Below this (-180 dBFS) a clip is digital silence and has no level.
SILENCE = 1e-9
#: How much less than the next louder one a channel counts in the phase of their mix.
SHARE = 0.7


@dataclass(frozen=True, eq=False)
class ModelInput:
    """What the model hears of a region.

    Parameters
    ----------
    samples : ndarray of float32, shape = (n_samples,)
        One channel at `rate`: what sounds before, the region, what sounds after, at a known level.
    rate : int
        The checkpoint's rate.
    gain : float
        Host level = model level x gain.
    host_rate : int
        The region's rate.
    before_frames, region_frames, span_frames : int
        Host frames of context before the region, of the region (with what is to be added by
        `continue`), and of the whole span.
    """

    samples: Samples
    rate: int
    gain: float
    host_rate: int
    before_frames: int
    region_frames: int
    span_frames: int

    @property
    def n_samples(self) -> int:
        """Length of the span in model samples."""
        return len(self.samples)

    @property
    def start_samples(self) -> int:
        """Model sample nearest to the region's first frame."""
        return units.rescale_position(self.before_frames, self.host_rate, self.rate)


def model_input(
    region: Region,
    model_rate: int,
    context: bool = True,
    new_before_frames: int = 0,
    new_after_frames: int = 0,
) -> ModelInput:
    """What the model hears of a region, with its surroundings.

    Parameters
    ----------
    region : Region
        Silence stays silence, at a gain of 1. One frame is enough.
    model_rate : int
        The checkpoint's rate.
    context : bool
        Whether what sounds before and after is heard too.
    new_before_frames, new_after_frames : int
        Host frames of nothing before or after the region, for `continue` to fill. They take the
        place of the context on that side.
    """
    # A constant offset is no sound: without it edges don't click and the level is the sound's.
    means = region.samples.mean(axis=0, dtype=np.float64).astype(np.float32)
    before = _side(region.before - means, context, new_before_frames)
    after = _side(region.after - means, context, new_after_frames)
    span_frames = len(before) + region.n_frames + len(after)
    n_samples = max(1, units.rescale_up(span_frames, region.rate, model_rate))
    channels = []
    for channel, mean in enumerate(means):
        inside = region.samples[:, channel] - mean
        whole = np.concatenate([before[:, channel], inside, after[:, channel]])
        channels.append(resample(whole, region.rate, model_rate, n_samples))
    mono = downmix(channels, model_rate)
    to_reference = level_gain(mono, model_rate)
    return ModelInput(
        mono * np.float32(to_reference),
        model_rate,
        gain=1.0 / to_reference,
        host_rate=region.rate,
        before_frames=len(before) - new_before_frames,
        region_frames=region.n_frames + new_before_frames + new_after_frames,
        span_frames=span_frames,
    )


def _side(sounding: Samples, context: bool, new_frames: int) -> Samples:
    if context and not new_frames:
        return sounding
    return np.zeros((new_frames, sounding.shape[1]), np.float32)


def level_gain(wave: Samples, rate: int) -> float:
    """Gain that brings a wave to the reference level; 1 for silence.

    The level is the RMS of the active 10 ms pieces; the gain stops where peaks would pass 0.99.
    """
    piece = max(1, min(len(wave), round(ACTIVE_S * rate)))
    pieces = wave[: len(wave) // piece * piece].reshape(-1, piece)
    power = np.square(pieces, dtype=np.float64).mean(axis=1)
    active = power[power > power.max(initial=0.0) * ACTIVE_SHARE]
    if not len(active) or active.mean() < SILENCE**2:
        return 1.0
    gain = 10 ** (REFERENCE_DBFS / 20) / float(np.sqrt(active.mean()))
    return min(gain, PEAK / float(np.abs(wave).max()))


def downmix(channels: list[Samples], rate: int) -> Samples:
    """One channel with the power of all, whatever their order and polarity.

    A plain sum loses what is out of phase between channels. Here magnitudes come from the mean
    power of the channels, and phases from a sum in which louder channels count more, so that no two
    of them cancel. The answer has the same bits for any order of the channels.

    Parameters
    ----------
    channels : list of ndarray, shape = (n_samples,)
    rate : int
    """
    # In an order of their own, loudest first: then the order they came in can't be heard.
    ordered = sorted(channels, key=lambda c: (-np.square(c, dtype=np.float64).sum(), c.tobytes()))
    first = ordered[0]
    if all(np.array_equal(first, other) for other in ordered[1:]):
        return first
    stft = BlockStft(len(first), rate)
    mixed = np.zeros(len(first), np.float32)
    for windows in stft.blocks():
        stft.add(mixed, _mixed([stft.analyse(channel, windows) for channel in ordered]), windows)
    return mixed


def _mixed(spectra: list[Bins]) -> Bins:
    """Spectra of the channels, loudest first, to one of the same power."""
    carrier, power = np.zeros_like(spectra[0]), np.zeros(spectra[0].shape, np.float32)
    for rank, spectrum in enumerate(spectra):
        carrier += spectrum * np.float32(SHARE**rank)
        power += np.square(np.abs(spectrum))
    wanted = np.sqrt(power / len(spectra))
    return carrier * (wanted / np.maximum(np.abs(carrier), np.float32(1e-30)))
