"""Harmonics that keep their phase from frame to frame, for a vocoder to draw on.

A mel says where partials lie but not where in their swing they are, and a convolution that sees
half a second of a steady mel says the same of every frame: what comes out repeats with the frames
instead of the pitch. So the vocoder's network says which pitch it hears, a train of pulses at that
pitch runs on through the whole sound, and the network says how much of it goes into each band (the
source-filter idea of Wang, Takaki & Yamagishi 2019).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from engine.mel import LogMel

#: Pitches a network can name, evenly spaced in logarithm, and a last class for "none".
LOWEST_HZ, HIGHEST_HZ, N_PITCHES = 50.0, 2000.0, 96
#: Classes on each side of the likeliest one that share in the pitch that is read, and frames on
#: each side that have a say in it.
READ_CLASSES, READ_FRAMES = 2, 2
#: Partials end below this share of the sampling rate.
HIGHEST_SHARE = 0.49
#: Log-mel of a partial of amplitude 1 in the middle of a band of its own, below 1 kHz.
PARTIAL_LOG_MEL = math.log(5.5)


def class_hz() -> Tensor:
    """Pitches of the classes, shape = (N_PITCHES,)."""
    return torch.exp(torch.linspace(math.log(LOWEST_HZ), math.log(HIGHEST_HZ), N_PITCHES))


def read_pitch(logits: Tensor) -> Tensor:
    """Pitch in Hz, shape = (n_batch, n_frames), of class logits (n_batch, n_frames, N_PITCHES + 1).

    The mean of the classes next to the likeliest one, steadied over neighbouring frames; a pitch is
    read where there is none as well.
    """
    shares = _steadied(logits.softmax(-1))[..., :N_PITCHES]
    likeliest = shares.argmax(-1, keepdim=True)
    places = torch.arange(N_PITCHES, device=logits.device)
    near = shares * ((places - likeliest).abs() <= READ_CLASSES)
    log_hz = (near * class_hz().log().to(near)).sum(-1) / near.sum(-1).clamp(min=1e-12)
    return log_hz.exp()


def _steadied(shares: Tensor) -> Tensor:
    """Means over neighbouring frames, the middle one counting most, (n_batch, n_frames, n)."""
    weights = torch.hann_window(2 * READ_FRAMES + 3, periodic=False)[1:-1].to(shares)
    rows = shares.transpose(1, 2).flatten(0, 1)[:, None]
    padded = nn.functional.pad(rows, (READ_FRAMES, READ_FRAMES), mode="replicate")
    means = nn.functional.conv1d(padded, (weights / weights.sum())[None, None])
    return means[:, 0].unflatten(0, (len(shares), -1)).transpose(1, 2)


#: Says where a window's pulses begin; see `Joined`.
Join = Callable[[Tensor], Tensor]


class HarmonicSource(nn.Module):
    """Spectra of a pulse train that follows a pitch, as loud as a mel and as gains say.

    Parameters
    ----------
    n_fft, hop : int
        Of the spectra; frame k is centred on sample k * hop + hop / 2.
    front : LogMel
        What the mels were measured with.
    """

    def __init__(self, n_fft: int, hop: int, front: LogMel) -> None:
        super().__init__()
        self.n_fft, self.hop, self.rate = n_fft, hop, front.rate
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self.register_buffer("to_bins", _band_to_bin(front, n_fft), persistent=False)

    def forward(
        self, hz: Tensor, mel: Tensor, log_gain: Tensor, join: Join | None = None
    ) -> Tensor:
        """Spectra, shape = (n_batch, n_frames, n_fft // 2 + 1), complex.

        Parameters
        ----------
        hz : Tensor, shape = (n_batch, n_frames)
            Pitch of each frame.
        mel, log_gain : Tensor, shape = (n_batch, n_frames, n_mels)
            The log-mel, and natural-log gains of its bands.
        join : callable, optional
            Given the cycles passed at each frame (n_batch, n_frames), says how many to add to them
            (n_batch,).
        """
        amplitude = ((mel + log_gain - PARTIAL_LOG_MEL) @ self.to_bins).exp()
        return self.spectrum(self.pulses(hz, join)) * amplitude

    def pulses(self, hz: Tensor, join: Join | None = None) -> Tensor:
        """Sum of all partials of a pitch, each a cosine of amplitude 1, shape = (n_batch, n_frames
        * hop)."""
        log_hz = nn.functional.interpolate(hz.log()[:, None], scale_factor=self.hop, mode="linear")
        at_sample = log_hz[:, 0].exp()
        cycles = self._cycles(at_sample)
        if join is not None:
            cycles = cycles + join(cycles[:, :: self.hop])[:, None]
        n_partials = (HIGHEST_SHARE * self.rate / at_sample).floor()
        half = math.pi * (cycles - cycles.round())
        tiny = half.abs() < 1e-4  # the middle of a pulse: all partials at their top
        below = torch.where(tiny, torch.ones_like(half), half).sin()
        above = ((2 * n_partials + 1) * half).sin()
        return torch.where(tiny, n_partials, (above / below - 1) / 2)

    def _cycles(self, hz: Tensor) -> Tensor:
        """Running sum of cycles, whole ones left out between hops, lest it grow too coarse."""
        inside = (hz / self.rate).unflatten(1, (-1, self.hop)).cumsum(2)
        before = inside[:, :, -1].frac().cumsum(1) - inside[:, :, -1].frac()
        return (before.frac()[:, :, None] + inside).flatten(1)

    def spectrum(self, wave: Tensor) -> Tensor:
        """Short-time spectra of a wave of whole hops, shape = (n_batch, n_frames, n_bins)."""
        side = (self.n_fft - self.hop) // 2
        frames = nn.functional.pad(wave, (side, side)).unfold(1, self.n_fft, self.hop)
        return torch.fft.rfft(frames * self.window)


class Joined:
    """Lets the windows of a long sound begin their pulses where the window before has them.

    Parameters
    ----------
    starts : sequence of int
        First frame of each window, in the order in which they are asked for.
    """

    def __init__(self, starts: Sequence[int]) -> None:
        self._starts, self._from, self._cycles = iter(starts), 0, torch.zeros(1, 0)

    def __call__(self, cycles: Tensor) -> Tensor:
        """Cycles before the first sample of the next window, shape = (n_batch,), given those that
        it has at each frame if it begins with 0, shape = (n_batch, n_frames)."""
        start = next(self._starts)
        before = self._cycles[:, start - self._from :]
        if before.shape[1] == 0:
            begin = cycles.new_zeros(len(cycles))
        else:
            apart = 2 * math.pi * (before - cycles[:, : before.shape[1]])
            middle = slice(apart.shape[1] // 4, apart.shape[1] - apart.shape[1] // 4)
            apart = apart[:, middle]  # both windows hear enough on either side of it
            begin = torch.atan2(apart.sin().sum(1), apart.cos().sum(1)) / (2 * math.pi)
        self._from, self._cycles = start, cycles + begin[:, None]
        return begin


def _band_to_bin(front: LogMel, n_fft: int) -> Tensor:
    """Weights that draw a line through bands at frequencies, (n_mels, n_fft // 2 + 1)."""
    filters = front.filters.double().cpu().numpy()
    at = np.linspace(0, front.rate / 2, filters.shape[0])
    centres = (filters * at[:, None]).sum(0) / np.maximum(filters.sum(0), 1e-12)
    bins = np.linspace(0, front.rate / 2, n_fft // 2 + 1)
    rows = [np.interp(bins, centres, unit) for unit in np.eye(filters.shape[1])]
    return torch.from_numpy(np.stack(rows)).float()
