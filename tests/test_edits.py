"""Edits: every value is checked where it enters, and the message names it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.edits import (
    EDITS,
    MAX_PROMPT_CHARACTERS,
    PARAMETERS,
    Bandwidth,
    Continue,
    Edit,
    Generate,
    Hole,
    Inpaint,
    Loop,
    Transfer,
    Vary,
    make_edit,
)
from engine.errors import RequestError

HOLE = Hole(0, 1)


def default(kind: type[Edit], **values: Any) -> Edit:
    """An edit of a kind with a hole where it needs one."""
    if kind is Inpaint:
        values.setdefault("holes", (HOLE,))
    return kind(**values)


@pytest.mark.parametrize("value", [10**400, -(10**400), float("inf"), float("nan")])
def test_what_no_float_holds_is_out_of_range(value: float) -> None:
    with pytest.raises(RequestError, match=r"guidance is .*; it must be a number from 0 to 20"):
        Transfer(guidance=value)


def test_every_edit_of_the_design_is_there() -> None:
    named = {"generate", "transfer", "inpaint", "bandwidth", "continue", "vary", "loop"}
    assert set(EDITS) == named
    assert all(kind.name == name and kind.summary for name, kind in EDITS.items())


@pytest.mark.parametrize("kind", EDITS.values())
def test_every_field_has_a_parameter(kind: type[Edit]) -> None:
    fields = [field.name for field in dataclasses.fields(kind)]
    assert [p.name for p in kind.parameters()] == fields
    assert all(p.doc for p in kind.parameters())


@pytest.mark.parametrize("kind", EDITS.values())
def test_every_range_is_held_at_both_ends(kind: type[Edit]) -> None:
    for p in kind.parameters():
        if p.low is None or p.high is None:
            continue
        assert getattr(default(kind, **{p.name: p.low}), p.name) == p.low
        assert getattr(default(kind, **{p.name: p.high}), p.name) == p.high
        for outside in (p.low - 1, p.high * 2 + 1):
            with pytest.raises(RequestError, match=p.name) as caught:
                default(kind, **{p.name: outside})
            assert caught.value.code == "bad-value"
            assert f"{p.low:g} to {p.high:g}" in caught.value.message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.5", None, True, [0.5]])
def test_strength_wants_a_finite_number(value: Any) -> None:
    with pytest.raises(RequestError, match="strength") as caught:
        Transfer(strength=value)
    assert caught.value.code == "bad-value"


@pytest.mark.parametrize("value", [0.5, float("nan"), float("inf"), "3", True, None])
def test_steps_want_a_whole_number(value: Any) -> None:
    with pytest.raises(RequestError, match="steps"):
        Transfer(steps=value)


def test_whole_floats_count_as_whole_numbers() -> None:
    assert Transfer(steps=20.0).steps == 20  # type: ignore[arg-type]


def test_choices_are_listed() -> None:
    with pytest.raises(RequestError, match=r"sampler is 'euler'; it must be one of dpm\+\+, ddim"):
        Transfer(sampler="euler")


def test_prompts_are_trimmed_and_bounded() -> None:
    assert Transfer(prompt="  rain \n on a  roof ").prompt == "rain on a roof"
    assert Transfer(prompt="").prompt == ""
    assert Transfer(prompt="🌧️ ☔").prompt == "🌧️ ☔"
    assert len(Transfer(prompt="x" * MAX_PROMPT_CHARACTERS).prompt) == MAX_PROMPT_CHARACTERS
    with pytest.raises(RequestError, match="5000 characters") as caught:
        Transfer(prompt="x" * 5000)
    assert caught.value.code == "too-long"


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1)), max_size=5))
def test_curves_want_times_in_order(points: list[tuple[float, float]]) -> None:
    ordered = sorted(points)
    assert Transfer(curve=tuple(ordered)).curve == tuple(ordered)
    if [at for at, _ in points] != [at for at, _ in ordered]:
        with pytest.raises(RequestError, match="order"):
            Transfer(curve=tuple(points))


@pytest.mark.parametrize("curve", [((-1.0, 0.5),), ((0.0, 1.5),), ((float("nan"), 0.1),), (1, 2)])
def test_bad_curves_are_refused(curve: Any) -> None:
    with pytest.raises(RequestError, match="curve") as caught:
        Transfer(curve=curve)
    assert caught.value.code == "bad-value"


@pytest.mark.parametrize(
    ("start", "frames", "low_hz", "high_hz"),
    [(-1, 10, None, None), (0, 0, None, None), (0, 5, 400.0, 400.0), (0, 5, -1.0, 2.0)],
)
def test_bad_holes_are_refused(
    start: int, frames: int, low_hz: float | None, high_hz: float | None
) -> None:
    with pytest.raises(RequestError, match="hole") as caught:
        Hole(start, frames, low_hz, high_hz)
    assert caught.value.code == "bad-value"


def test_holes_know_their_band_and_end() -> None:
    assert Hole(3, 4).stop_frames == 7
    assert Hole(3, 4).is_full_band
    assert not Hole(3, 4, low_hz=100.0).is_full_band
    assert not Hole(3, 4, high_hz=100.0).is_full_band


def test_inpaint_wants_a_hole() -> None:
    with pytest.raises(RequestError, match="no hole"):
        Inpaint()
    with pytest.raises(RequestError, match="Hole"):
        Inpaint(holes=((0, 5),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("edit", "nothing"),
    [
        (Transfer(strength=0.0), True),
        (Transfer(strength=0.5, mix=0.0), True),
        (Transfer(strength=0.5), False),
        (Transfer(strength=0.5, curve=((0.0, 0.0), (1.0, 0.0))), True),
        (Transfer(strength=0.0, curve=((0.0, 0.0), (1.0, 0.4))), False),
        (Vary(amount=0.0), True),
        (Vary(), False),
        (Bandwidth(mix=0.0), True),
        (Loop(mix=0.0), True),
        (Inpaint(holes=(HOLE,), mix=0.0), True),
        (Inpaint(holes=(HOLE,)), False),
        (Continue(mix=0.0), False),  # the clip gets longer all the same
        (Generate(mix=0.0), False),
    ],
)
def test_zero_is_known_as_nothing(edit: Edit, nothing: bool) -> None:
    assert edit.is_identity is nothing


def test_make_edit_reads_names_and_values() -> None:
    edit = make_edit("transfer", {"prompt": "rain", "strength": 0.25})
    assert edit == Transfer(prompt="rain", strength=0.25)


@pytest.mark.parametrize(
    ("name", "values", "code", "says"),
    [
        ("transform", {}, "unknown-edit", "transfer"),
        ("transfer", {"strenght": 0.5}, "unknown-key", "strenght"),
        ("transfer", {"seconds": 2.0}, "unknown-key", "seconds"),
        ("transfer", {"strength": 1.5}, "bad-value", "1.5"),
    ],
)
def test_make_edit_names_what_is_wrong(
    name: str, values: dict[str, Any], code: str, says: str
) -> None:
    with pytest.raises(RequestError, match=says) as caught:
        make_edit(name, values)
    assert caught.value.code == code


def test_every_parameter_belongs_to_an_edit() -> None:
    used = {p.name for kind in EDITS.values() for p in kind.parameters()}
    assert used == set(PARAMETERS)
