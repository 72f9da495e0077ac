"""Strengths on the latent grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.audio_utils import hertz_to_mel, mel_filter_bank

from engine.masks import Box, Grid, curve_mask, fill_mask, flat_mask

CELL = 640
GRID = Grid(n_cells=20, n_bins=16, cell_samples=CELL, stride=4, rate=16000)


def test_whole_cells_are_filled_whole() -> None:
    mask = fill_mask(GRID, [Box(5 * CELL, 8 * CELL)])
    wanted = torch.zeros(20, 16)
    wanted[5:8] = 1.0
    assert torch.equal(mask, wanted)


def test_edges_inside_a_cell_are_soft() -> None:
    mask = fill_mask(GRID, [Box(5.9 * CELL, 8.25 * CELL)])[:, 0]
    assert mask[4] == 0.0
    assert mask[5] == pytest.approx(0.2, abs=1e-5)
    assert mask[6] == mask[7] == 1.0
    assert mask[8] == pytest.approx(0.5, abs=1e-5)
    assert mask[9] == 0.0


@given(st.floats(0, 20 * CELL - 1), st.floats(1e-3, 30 * CELL))
def test_every_hole_however_small_is_filled(start: float, length: float) -> None:
    mask = fill_mask(GRID, [Box(start, start + length)])
    assert float(mask.max()) == 1.0
    assert float(mask.min()) >= 0.0
    touched = mask[:, 0] > 0
    first, last = int(start // CELL), int(min((start + length) // CELL, 19))
    assert not touched[:first].any()
    assert not touched[last + 1 :].any()
    assert touched[first + 1 : last].all()


def test_holes_join() -> None:
    both = fill_mask(GRID, [Box(0, 2 * CELL), Box(CELL, 4 * CELL, high_hz=1000.0)])
    assert torch.equal(both[:2], torch.ones(2, 16))
    assert both[3, 0] == 1.0
    assert both[3, 15] == 0.0


def test_a_box_beyond_the_grid_fills_nothing() -> None:
    assert not fill_mask(GRID, [Box(-5 * CELL, -CELL), Box(21 * CELL, 30 * CELL)]).any()
    assert not fill_mask(GRID, [Box(0, CELL, low_hz=9000.0)]).any()


def test_infinite_boxes_fill_everything() -> None:
    assert torch.equal(fill_mask(GRID, [Box(0.0, float("inf"))]), torch.ones(20, 16))


@pytest.mark.parametrize("cutoff_hz", [500.0, 2000.0, 4000.0, 7000.0])
def test_bands_cover_what_the_mel_bank_hears_there(cutoff_hz: float) -> None:
    """The mel scale as the judge: bins centred well above the cutoff are filled, below kept."""
    mask = fill_mask(GRID, [Box(0, 20 * CELL, low_hz=cutoff_hz)])[0]
    edges = np.linspace(0.0, hertz_to_mel(8000.0, "slaney"), 66)
    centres = edges[1:-1].reshape(16, 4)  # mel bins by latent bin
    cutoff = hertz_to_mel(cutoff_hz, "slaney")
    width = edges[1]
    assert bool((mask[torch.from_numpy(centres.min(1) > cutoff + width / 2)] == 1.0).all())
    assert bool((mask[torch.from_numpy(centres.max(1) < cutoff - width / 2)] == 0.0).all())


def test_bin_positions_agree_with_the_filters() -> None:
    """A tone at a filter's peak lies in the middle of that filter's place."""
    bank = mel_filter_bank(4097, 64, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")
    peaks_hz = bank.argmax(0) / 4096 * 8000.0
    for mel_bin in (0, 7, 30, 63):
        assert GRID.bin_position(float(peaks_hz[mel_bin])) == pytest.approx(
            (mel_bin + 0.5) / 4, abs=0.1
        )


def test_frequencies_beyond_the_grid_are_clipped() -> None:
    assert GRID.bin_position(-5.0) == GRID.bin_position(0.0) == 0.0
    assert GRID.bin_position(1e9) == GRID.bin_position(float("inf")) == 16.0


def test_curves_go_straight_between_points() -> None:
    mask = curve_mask(GRID, [(4.5 * CELL, 0.0), (8.5 * CELL, 1.0)])
    assert torch.allclose(mask[:, 0][4:9], torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]))
    assert float(mask[:4].max()) == 0.0
    assert float(mask[9:].min()) == 1.0


def test_one_point_is_flat() -> None:
    assert torch.equal(curve_mask(GRID, [(3.0, 0.25)]), flat_mask(GRID, 0.25))
