"""Where on the latent grid an edit works, and how strongly: a strength from 0 to 1 for every cell.

    0    kept: the cell never joins the reverse process
    0.4  joins it where the noise is what strength 0.4 maps to (differential diffusion, Levin 2023)
    1    made anew from pure noise

A hole that ends inside a cell takes that cell softly: the seam a listener hears is cut later, by
the sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.mel_scale import hertz, mels

#: A cell this much inside a hole, or more, is made anew whole.
FULL_COVERAGE = 0.5
#: A painted mask is looked up so often along each side of a cell.
CELL_PARTS = 4

Axis = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Box:
    """A stretch of the model's time and a band of frequencies.

    `start_samples` and `stop_samples` may be fractions of a sample: they come from the host's
    clock.
    """

    start_samples: float
    stop_samples: float
    low_hz: float = 0.0
    high_hz: float = float("inf")


@dataclass(frozen=True)
class Grid:
    """The latent grid of a span: `n_cells` in time by `n_bins` in frequency.

    Parameters
    ----------
    n_cells, n_bins : int
    cell_samples : int
        Samples a cell.
    stride : int
        Mel bins a cell.
    rate : int
        Samples a second; the mel bins lie between 0 Hz and half of it.
    """

    n_cells: int
    n_bins: int
    cell_samples: int
    stride: int
    rate: int

    def bin_position(self, hz: float) -> float:
        """Where a frequency lies on the grid's frequency axis, in cells, clipped to the grid.

        Mel bin k is a triangle around the (k + 1)-th of n_mels + 2 points evenly spaced in mels, so
        it stands for k to k + 1.
        """
        n_mels = self.n_bins * self.stride
        top = self.rate / 2
        points = float(mels(min(max(hz, 0.0), top)) / mels(top)) * (n_mels + 1)
        return min(max((points - 0.5) / self.stride, 0.0), float(self.n_bins))

    def frequency(self, position: float) -> float:
        """The frequency that lies at a place of the frequency axis, in Hz: bin_position's way
        back."""
        n_mels = self.n_bins * self.stride
        top = self.rate / 2
        return float(hertz((position * self.stride + 0.5) / (n_mels + 1) * mels(top)))


def fill_mask(grid: Grid, boxes: Sequence[Box]) -> Tensor:
    """Strengths for masked generation: 1 in the boxes, 0 outside, softly between.

    A box smaller than a cell still takes the cell it lies most in.

    Returns
    -------
    strengths : Tensor, shape = (n_cells, n_bins)
        All zero only where every box lies outside the grid.
    """
    strengths = torch.zeros(grid.n_cells, grid.n_bins)
    for box in boxes:
        start, stop = box.start_samples / grid.cell_samples, box.stop_samples / grid.cell_samples
        times = _softened(_coverage(start, stop, grid.n_cells))
        low, high = grid.bin_position(box.low_hz), grid.bin_position(box.high_hz)
        bands = _softened(_coverage(low, high, grid.n_bins))
        strengths = torch.maximum(strengths, times[:, None] * bands[None, :])
    return strengths


def curve_mask(grid: Grid, curve: Sequence[tuple[float, float]]) -> Tensor:
    """Strengths that follow an envelope of (samples, strength) points, straight between them.

    Before the first point and after the last one the curve goes on as it is there.

    Returns
    -------
    strengths : Tensor, shape = (n_cells, n_bins)
    """
    centres = (np.arange(grid.n_cells) + 0.5) * grid.cell_samples
    at, strength = zip(*curve, strict=True)
    times = torch.from_numpy(np.interp(centres, at, strength)).float()
    return times[:, None].expand(-1, grid.n_bins).contiguous()


def painted_mask(
    grid: Grid, at: Callable[[Axis, Axis], npt.NDArray[np.float32]], start_samples: float
) -> Tensor:
    """Strengths as they are painted, the mean over each cell.

    Parameters
    ----------
    grid : Grid
    at : callable
        Strengths, shape = (n_times, n_frequencies), at seconds and Hz.
    start_samples : float
        Where second 0 lies.

    Returns
    -------
    strengths : Tensor, shape = (n_cells, n_bins)
    """
    parts = (np.arange(CELL_PARTS) + 0.5) / CELL_PARTS
    times = (np.arange(grid.n_cells)[:, np.newaxis] + parts).ravel() * grid.cell_samples
    places = (np.arange(grid.n_bins)[:, np.newaxis] + parts).ravel()
    hz = np.array([grid.frequency(place) for place in places])
    values = at((times - start_samples) / grid.rate, hz)
    cells = values.reshape(grid.n_cells, CELL_PARTS, grid.n_bins, CELL_PARTS)
    return torch.from_numpy(np.ascontiguousarray(cells.mean(axis=(1, 3), dtype=np.float32)))


def flat_mask(grid: Grid, strength: float) -> Tensor:
    """The same strength everywhere, shape = (n_cells, n_bins)."""
    return torch.full((grid.n_cells, grid.n_bins), float(strength))


def _coverage(start: float, stop: float, n_cells: int) -> Tensor:
    """Share of each cell [i, i + 1) that lies between start and stop, shape = (n_cells,)."""
    edges = torch.arange(n_cells + 1, dtype=torch.float64).clamp(start, max(start, stop))
    return edges.diff().float()


def _softened(coverage: Tensor) -> Tensor:
    largest = float(coverage.max())
    if largest <= 0.0:
        return coverage
    return (coverage / (FULL_COVERAGE * min(largest, 1.0))).clamp(max=1.0)
