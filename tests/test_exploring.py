"""Noise around a liked take: on the arc, as loud as any, the take itself where spread is 0."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine import (
    Continue,
    Edit,
    Engine,
    Generate,
    Hole,
    Inpaint,
    Region,
    Transfer,
    Vary,
)
from engine.denoise import TakeNoise
from engine.errors import RequestError
from engine.exploring import past_seeds, slerp, take_noise
from engine.loudness import rms

SHAPE = (8, 32, 16)


@given(st.floats(0, 1), st.integers(0, 99))
def test_the_arc_keeps_the_loudness_of_noise(share: float, seed: int) -> None:
    first, second = TakeNoise([seed]).draw(SHAPE), TakeNoise([seed + 1]).draw(SHAPE)
    between = slerp(first, second, share)
    norms = sorted((float(first.norm()), float(second.norm())))
    assert 0.97 * norms[0] <= float(between.norm()) <= 1.03 * norms[1]
    near, far = (float((between - end).norm()) for end in (first, second))
    if share != 0.5:
        assert (near < far) == (share < 0.5) or abs(share - 0.5) < 0.05


def test_the_ends_of_the_arc_are_the_two_themselves() -> None:
    first, second = TakeNoise([1]).draw(SHAPE), TakeNoise([2]).draw(SHAPE)
    assert torch.equal(slerp(first, second, 0.0), first)
    assert torch.equal(slerp(first, second, 1.0), second)
    assert torch.equal(slerp(first, first, 0.3), first)


def test_without_spread_every_take_is_the_one_searched_around() -> None:
    liked = TakeNoise([5]).draw(SHAPE)
    for row in take_noise([6, 7], "5", 0.0).draw(SHAPE):
        assert torch.equal(row, liked[0])


def test_with_all_spread_takes_know_nothing_of_it() -> None:
    assert torch.equal(take_noise([6, 7], "5", 1.0).draw(SHAPE), TakeNoise([6, 7]).draw(SHAPE))


def test_a_search_goes_on_from_where_it_was() -> None:
    found = take_noise([6], "5", 0.3)
    again = take_noise([9], "5/0.3/6", 0.0)
    for _ in range(2):  # the noise of later steps too
        assert torch.equal(found.draw(SHAPE), again.draw(SHAPE))


def test_every_step_of_a_lineage_is_walked() -> None:
    found = take_noise([7], "5/0.3/6", 0.2).draw(SHAPE)
    assert torch.equal(take_noise([9], "5/0.3/6/0.2/7", 0.0).draw(SHAPE), found)


def test_seeds_that_led_to_a_take_are_known() -> None:
    assert past_seeds("") == set()
    assert past_seeds("5/0.3/6/0.2/7") == {5, 6, 7}
    with pytest.raises(RequestError, match="a server's job"):
        past_seeds("job-1:2")


@given(st.floats(0, 1), st.integers(0, 99))
def test_between_equal_norms_the_norm_is_theirs(share: float, seed: int) -> None:
    first, second = TakeNoise([seed]).draw(SHAPE), TakeNoise([seed + 1]).draw(SHAPE)
    second *= first.norm() / second.norm()
    assert float(slerp(first, second, share).norm() / first.norm()) == pytest.approx(1, abs=1e-5)


@given(st.floats(0.01, 0.99))
def test_a_share_of_the_arc_is_a_share_of_its_angle(share: float) -> None:
    first, second = TakeNoise([1]).draw(SHAPE), TakeNoise([2]).draw(SHAPE)
    second *= first.norm() / second.norm()

    def angle(one: torch.Tensor, two: torch.Tensor) -> float:
        cosine = torch.nn.functional.cosine_similarity(
            one.double().flatten(), two.double().flatten(), dim=0
        )
        return float(torch.acos(cosine))

    between = slerp(first, second, share)
    assert angle(first, between) == pytest.approx(share * angle(first, second), abs=1e-3)
    assert angle(between, second) == pytest.approx((1 - share) * angle(first, second), abs=1e-3)


def test_opposites_and_silence_have_no_arc_and_no_nan() -> None:
    first = TakeNoise([1]).draw(SHAPE)
    assert torch.equal(slerp(first, -first, 0.3), first)
    assert torch.equal(slerp(first, -first, 0.7), -first)
    assert slerp(torch.zeros_like(first), first, 0.5).isfinite().all()


def test_rows_lie_on_arcs_of_their_own() -> None:
    """A batch of takes is the takes one by one."""
    together = take_noise([6, 7, 8], "5/0.4/9", 0.3).draw(SHAPE)
    for row, seed in zip(together, (6, 7, 8), strict=True):
        assert torch.equal(row, take_noise([seed], "5/0.4/9", 0.3).draw(SHAPE)[0])


EDITS: list[Edit] = [
    Transfer(prompt="rain", steps=3),
    Transfer(prompt="rain", steps=3, sampler="ddim", eta=1.0),  # draws noise at every step
    Transfer(prompt="rain", steps=3, preserve=0.5),
    Vary(steps=3),
    Inpaint(prompt="rain", steps=3, holes=(Hole(9000, 20000),), resample=2),
    Continue(prompt="rain", steps=3, seconds=0.5),
    Generate(prompt="rain", steps=3, seconds=1.0),
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_around_a_take_without_spread_is_that_take(tiny: Engine, clip: Region, edit: Edit) -> None:
    region = None if isinstance(edit, Generate) else clip
    liked = tiny.edit(region, dataclasses.replace(edit, seed=5))
    again = tiny.takes(region, dataclasses.replace(edit, around="5", spread=0.0, takes=3))
    assert len(again) == 1  # all three are it, so one is given
    assert np.array_equal(again[0].samples, liked.samples)


def test_a_take_can_be_asked_for_again_and_searched_around_again(tiny: Engine) -> None:
    first = Generate(prompt="rain", steps=3, seconds=1.0, around="5", spread=0.4, takes=3)
    liked = tiny.takes(None, first)[1]
    alone = dataclasses.replace(first, seed=liked.seed, takes=1)
    assert np.array_equal(tiny.edit(None, alone).samples, liked.samples)
    there = dataclasses.replace(alone, around=f"5/0.4/{liked.seed}", spread=0.0)
    assert np.array_equal(tiny.edit(None, there).samples, liked.samples)


def test_takes_lie_farther_the_more_spread(tiny: Engine, clip: Region) -> None:
    edit = Transfer(prompt="rain", strength=0.8, steps=3)
    liked = tiny.edit(clip, dataclasses.replace(edit, seed=5)).samples
    away = [
        rms(
            tiny.edit(clip, dataclasses.replace(edit, around="5", seed=9, spread=spread)).samples
            - liked
        )
        for spread in (0.05, 0.2, 0.5, 1.0)
    ]
    assert away == sorted(away)
    assert away[0] < away[-1] / 3
    free = tiny.edit(clip, dataclasses.replace(edit, seed=9)).samples
    nothing_of_it = dataclasses.replace(edit, around="5", seed=9, spread=1.0)
    assert np.array_equal(tiny.edit(clip, nothing_of_it).samples, free)


def test_the_engine_knows_no_jobs(tiny: Engine, clip: Region) -> None:
    with pytest.raises(RequestError, match="send the edit there, or give a seed") as caught:
        tiny.takes(clip, Transfer(prompt="rain", around="job-1:2"))
    assert caught.value.code == "bad-value"
