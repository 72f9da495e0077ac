"""The four clocks of a clip: exact in integers, whatever the rates."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import units

positions = st.integers(min_value=-(10**12), max_value=10**12)
rates = st.integers(min_value=1, max_value=192000)


@given(positions, rates, rates)
def test_positions_round_as_fractions_do(position: int, from_rate: int, to_rate: int) -> None:
    exact = Fraction(position * to_rate, from_rate)
    assert units.rescale_up(position, from_rate, to_rate) == ceil(exact)
    assert units.rescale_position(position, from_rate, to_rate) == floor(exact + Fraction(1, 2))


@given(positions, rates)
def test_the_same_clock_changes_nothing(position: int, rate: int) -> None:
    for convert in (units.rescale_up, units.rescale_position):
        assert convert(position, rate, rate) == position


@pytest.mark.parametrize(
    ("position", "from_rate", "to_rate", "nearest"),
    [(441, 44100, 16000, 160), (1, 2, 1, 1), (3, 2, 1, 2), (-1, 2, 1, 0), (0, 7, 3, 0)],
)
def test_halves_round_up(position: int, from_rate: int, to_rate: int, nearest: int) -> None:
    assert units.rescale_position(position, from_rate, to_rate) == nearest


@given(st.integers(min_value=0, max_value=10**9), st.integers(min_value=1, max_value=10**6))
def test_round_up_is_the_least_multiple(count: int, multiple: int) -> None:
    rounded = units.round_up(count, multiple)
    assert rounded % multiple == 0
    assert 0 <= rounded - count < multiple


@given(st.integers(min_value=0, max_value=2**40), st.integers(min_value=8000, max_value=192000))
def test_seconds_come_back_to_the_frame(frames: int, rate: int) -> None:
    assert units.seconds_to_frames(units.frames_to_seconds(frames, rate), rate) == frames
