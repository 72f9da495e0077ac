"""Excerpts around holes: bounded, complete, back in their place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.edits import Hole
from engine.region import Region
from engine.spans import around_holes, excerpt, with_context

RATE = 8000


def counting(start: int, stop: int) -> np.ndarray:
    """Samples that say where they come from."""
    return np.arange(start, stop, dtype=np.float32)[:, np.newaxis]


REGION = Region(counting(1000, 41000), RATE, counting(0, 1000), counting(41000, 43000))


@pytest.mark.parametrize(
    ("start", "stop", "context"),
    [(0, 40000, 500), (100, 200, 2000), (39000, 40000, 9999), (5, 6, 0)],
)
def test_an_excerpt_sounds_on_as_the_file_does(start: int, stop: int, context: int) -> None:
    part = excerpt(REGION, start, stop, context)
    assert np.array_equal(part.samples[:, 0], counting(start + 1000, stop + 1000)[:, 0])
    whole = np.concatenate((part.before, part.samples, part.after))[:, 0]
    assert np.all(np.diff(whole) == 1.0)
    assert len(part.before) == min(context, start + 1000)
    assert len(part.after) == min(context, 42000 - stop)


def test_context_is_cut_to_what_is_asked() -> None:
    near = with_context(REGION, 0.05)
    assert (len(near.before), near.n_frames, len(near.after)) == (400, 40000, 400)
    assert len(with_context(REGION, 100.0).after) == 2000
    assert len(with_context(REGION, 0.0).before) == 0


@given(
    st.lists(st.tuples(st.integers(0, 39_000), st.integers(1, 1000)), min_size=1, max_size=6),
    st.sampled_from([0.2, 1.0, 3.0]),
)
def test_every_hole_is_in_one_excerpt_with_room_around(
    spans: list[tuple[int, int]], window_s: float
) -> None:
    holes = [Hole(start, frames) for start, frames in spans]
    parts = around_holes(REGION, holes, window_s)
    assert sum(len(part.holes) for part in parts) == len(holes)
    quarter = round(window_s * RATE) // 4
    for part in parts:
        for hole in part.holes:
            first = hole.start_frames + len(part.region.before)
            assert hole.stop_frames <= part.region.n_frames
            assert first >= min(quarter, hole.start_frames + part.start_frames + 1000)
    rebuilt = np.array(REGION.samples)
    for part in parts:
        part.paste(part.region.samples, rebuilt)
    assert np.array_equal(rebuilt, REGION.samples)


def test_a_small_hole_shows_one_window_whatever_the_clip() -> None:
    long = Region(np.zeros((RATE * 600, 1), np.float32), RATE)
    (part,) = around_holes(long, [Hole(RATE * 300, 800)], 5.12)
    assert part.region.n_frames <= round(5.12 * RATE) + 1


def test_distant_holes_are_filled_apart() -> None:
    parts = around_holes(REGION, [Hole(30000, 10), Hole(10, 10), Hole(700, 10)], 1.0)
    assert [len(part.holes) for part in parts] == [2, 1]
