"""Loudness by ITU-R BS.1770-4, measured in blocks so that memory does not grow with the clip.

The K-weighting filters are pyloudnorm's; the gating is BS.1770-4's, equations 2 to 7. Every channel
counts the same: which one is a surround channel is not known of a DAW item.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal  # type: ignore[import-untyped]

from engine.samples import Samples, blocks

#: Gating block, and how far the next one starts.
GATE_S, STEP_S = 0.4, 0.1
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0

Powers = npt.NDArray[np.float64]


def gated_powers(samples: Samples, rate: int) -> Powers:
    """K-weighted power of every 400 ms gating block, all channels added; empty under 400 ms.

    Parameters
    ----------
    samples : ndarray of float32, shape = (n_frames, n_channels)
    rate : int
    """
    length_s = len(samples) / rate
    if length_s < GATE_S:
        return np.zeros(0)
    n_blocks = int(np.round((length_s - GATE_S) / STEP_S)) + 1
    total = np.zeros(n_blocks)
    for channel in range(samples.shape[1]):
        total += _channel_powers(samples[:, channel], rate, n_blocks)
    return total


def _channel_powers(wave: Samples, rate: int, n_blocks: int) -> Powers:
    starts = np.array([int(GATE_S * (block * 0.25) * rate) for block in range(n_blocks)])
    stops = np.array([int(GATE_S * (block * 0.25 + 1) * rate) for block in range(n_blocks)])
    edges = np.unique(np.concatenate([starts, stops]))
    energy = np.zeros(len(edges) + 1)  # up to each edge, and after the last
    for start, weighted in _weighted(wave, rate):
        first = np.searchsorted(edges, start, side="right")
        last = np.searchsorted(edges, start + len(weighted))
        cuts = np.concatenate([[0], edges[first:last] - start])
        energy[first : last + 1] += np.add.reduceat(np.square(weighted), cuts)
    running = np.cumsum(energy)[:-1]
    inside = running[np.searchsorted(edges, stops)] - running[np.searchsorted(edges, starts)]
    powers: Powers = np.maximum(inside, 0.0) / (GATE_S * rate)
    return powers


def _weighted(wave: Samples, rate: int) -> Iterator[tuple[int, Powers]]:
    """(start, K-weighted samples) of consecutive pieces of one channel."""
    filters = _k_filters(rate)
    state = np.zeros((len(filters), 2))
    for start, stop in blocks(0, len(wave), 1):
        piece, state = signal.sosfilt(filters, wave[start:stop].astype(np.float64), zi=state)
        yield start, piece


def _k_filters(rate: int) -> Powers:
    """Second-order sections, shape = (2, 6)."""
    from pyloudnorm import IIRfilter  # type: ignore[import-untyped]

    shelf = IIRfilter(4.0, 1 / np.sqrt(2), 1500.0, rate, "high_shelf")
    high_pass = IIRfilter(0.0, 0.5, 38.0, rate, "high_pass")
    return np.array([[*f.b, *f.a] for f in (shelf, high_pass)])


def integrated_lufs(powers: Powers) -> float:
    """Integrated loudness of gating blocks; -inf where all lie under the gate."""
    with np.errstate(divide="ignore"):
        loudness = -0.691 + 10 * np.log10(powers)
        loud = loudness >= ABSOLUTE_GATE_LUFS
        if not loud.any():
            return -np.inf
        relative = -0.691 + 10 * np.log10(powers[loud].mean()) + RELATIVE_GATE_LU
        kept = (loudness > relative) & (loudness > ABSOLUTE_GATE_LUFS)
        return float(-0.691 + 10 * np.log10(powers[kept].mean())) if kept.any() else -np.inf


def rms(samples: Samples) -> float:
    """Root of the mean square over all frames and channels; 0 for silence or no frames."""
    return float(np.sqrt(_sum_of_squares(samples) / max(1, samples.size)))


def _sum_of_squares(samples: Samples) -> float:
    total = 0.0
    for start, stop in blocks(0, *samples.shape):
        squares = np.square(samples[start:stop], dtype=np.float64)
        if samples.shape[1] > 2:  # sorted per frame, so that their order doesn't matter
            squares.sort(axis=1)
        total += float(squares.sum(axis=1).sum())
    return total


@dataclass(frozen=True)
class Loudness:
    """How loud a reference is: its integrated loudness (-inf under the gate) and its RMS."""

    lufs: float
    rms: float

    @classmethod
    def of(cls, samples: Samples, rate: int) -> Loudness:
        """The loudness of samples, shape = (n_frames, n_channels)."""
        return cls(integrated_lufs(gated_powers(samples, rate)), rms(samples))


def matching_gain(samples: Samples, reference: Samples, rate: int) -> float:
    """Gain that gives samples the loudness of a reference; see `gain_to`."""
    return gain_to(Loudness.of(reference, rate), samples, rate)


def gain_to(reference: Loudness, samples: Samples, rate: int) -> float:
    """Gain that gives samples the loudness of a reference.

    By integrated loudness; by RMS where a clip is under 400 ms or under the gate. 1 where either is
    silent: silence has no level to match.
    """
    wanted = reference.lufs
    powers = gated_powers(samples, rate)
    gain = 1.0
    if np.isfinite(wanted) and len(powers) and powers.max() > 0.0:
        # The absolute gate lets other blocks through at another gain: a few rounds settle it.
        if not np.isfinite(integrated_lufs(powers)):
            gain = float(np.sqrt(10 ** ((wanted + 0.691) / 10) / powers.max()))
        for _ in range(8):
            gain *= 10 ** ((wanted - integrated_lufs(powers * gain**2)) / 20)
        return gain
    level = rms(samples)
    return reference.rms / level if level > 0.0 and reference.rms > 0.0 else 1.0
