"""Which pitch a sound has, for a vocoder that is taught to name it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from engine.harmonics import HIGHEST_HZ, LOWEST_HZ, N_PITCHES
from engine.training.corpus import RATE
from engine.training.spectral import autocorrelation

#: Lags of 50 to 2000 Hz, and the first that whole samples don't tell too coarsely (640 Hz).
LAGS, FIRST_LAG = (8, 321), 25
#: Correlations from which on a frame surely has a pitch, and up to which it surely has none; of
#: lags this near to the best one, the shortest is the period.
PITCHED, UNPITCHED, AS_GOOD = 0.8, 0.5, 0.94
#: How far a target spreads over the classes next to it.
SPREAD_CLASSES = 0.7
#: Frames of `autocorrelation` begin so many hops before the middle of the sound they compare.
LATE_FRAMES = 2


def heard_pitch(wave: Tensor, n_frames: int) -> Tensor:
    """Pitch in Hz of each mel frame of waves, shape = (n_batch, n_frames): 0 where there is none,
    NaN where it can't be told (it may be too high, too weak, or several at once)."""
    likeness = autocorrelation(wave, LAGS)
    peaks = likeness.amax(-1)
    inner = likeness[..., 1:-1]
    is_top = (inner >= likeness[..., :-2]) & (inner >= likeness[..., 2:])
    good = is_top & (inner >= AS_GOOD * peaks[..., None])
    shortest = good.int().argmax(-1) + 1
    around = [likeness.gather(-1, (shortest + o)[..., None])[..., 0] for o in (-1, 0, 1)]
    bend = (around[0] - 2 * around[1] + around[2]).clamp(max=-1e-6)
    lag = LAGS[0] + shortest + ((around[0] - around[2]) / (2 * bend)).clamp(-0.5, 0.5)
    unknown = wave.new_tensor(math.nan)
    told = (peaks > PITCHED) & good.any(-1) & (LAGS[0] + shortest >= FIRST_LAG)
    hz = torch.where(told, RATE / lag, unknown)
    hz = torch.where(peaks < UNPITCHED, torch.zeros_like(hz), hz)
    out = wave.new_full((len(wave), n_frames), math.nan)
    fits = hz[:, : n_frames - LATE_FRAMES]
    out[:, LATE_FRAMES : LATE_FRAMES + fits.shape[1]] = fits
    return out


def pitch_loss(logits: Tensor, hz: Tensor) -> Tensor:
    """Cross-entropy of class logits (n_batch, n_frames, N_PITCHES + 1) against pitches in Hz
    (n_batch, n_frames); 0 is none, NaN doesn't count."""
    step = math.log(HIGHEST_HZ / LOWEST_HZ) / (N_PITCHES - 1)
    place = (hz.clamp(LOWEST_HZ, HIGHEST_HZ) / LOWEST_HZ).log() / step
    apart = torch.arange(N_PITCHES, device=hz.device) - place.nan_to_num()[..., None]
    target = torch.softmax(-0.5 * (apart / SPREAD_CLASSES).square(), -1)
    has_none = (hz == 0)[..., None].float()
    target = torch.cat((target * (1 - has_none), has_none), -1)
    losses = -(target * nn.functional.log_softmax(logits, -1)).sum(-1)
    counts = (~hz.isnan()).float()
    return (losses * counts).sum() / counts.sum().clamp(min=1)
