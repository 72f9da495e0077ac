"""Texts over time, painted masks and searches: one canonical form each, and its words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.automation import (
    MAX_POINTS,
    MAX_PROMPTS,
    MAX_STEPS_AWAY,
    further,
    in_words,
    lineage,
    read_around,
    read_mask,
    read_prompts,
)
from engine.edits import Hole, Inpaint, Transfer
from engine.errors import RequestError

TIMES_S = st.floats(0, 600, allow_nan=False).map(abs)
SHARES = st.floats(0, 1, allow_nan=False).map(abs)
TEXTS = st.text("abc é雨 ", min_size=1).map(lambda text: " ".join(text.split())).filter(bool)


@given(st.dictionaries(TIMES_S, TEXTS, max_size=6))
def test_prompts_go_through_their_words(texts: dict[float, str]) -> None:
    prompts = read_prompts(sorted(texts.items()))
    assert read_prompts(in_words(prompts)) == prompts
    assert read_prompts([{"at": at, "text": text} for at, text in prompts]) == prompts


@given(st.lists(st.tuples(TIMES_S, st.floats(0, 96000).map(abs), SHARES), max_size=8))
def test_points_go_through_their_words(points: list[tuple[float, float, float]]) -> None:
    mask = read_mask(sorted(points, key=lambda point: point[0]))
    assert read_mask(in_words(mask)) == mask


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.tuples(SHARES, st.integers(0, 2**63 - 1)), max_size=MAX_STEPS_AWAY),
)
def test_a_search_knows_every_step_to_it(seed: int, steps: list[tuple[float, int]]) -> None:
    around, spread, last = "", 0.3, seed
    for next_spread, next_seed in steps:
        around, spread, last = further(around, spread, last), next_spread, next_seed
    found = further(around, spread, last)
    assert lineage(found) == (seed, tuple(steps))
    assert read_around(found) == found


def test_a_mask_is_a_file_by_its_suffix() -> None:
    assert read_mask(" /a folder/mask.PNG ") == "/a folder/mask.PNG"
    assert read_mask(Path("mask.npy")) == "mask.npy"
    assert read_mask("") == ()


@pytest.mark.parametrize("value", [12, "12", " 12 "])
def test_a_seed_is_read_as_text(value: int | str) -> None:
    assert read_around(value) == "12"


def test_a_servers_take_is_left_to_the_server() -> None:
    assert read_around("job-7:2") == "job-7:2"
    assert read_around("") == ""


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (5, "texts with their seconds"),
        (b"0: rain", "texts with their seconds"),
        ("rain", "texts with their seconds"),
        ("soon: rain", "texts with their seconds"),
        ("0: ", "texts that say something"),
        ([(0.0, 5)], "texts that say something"),
        ([(0.0, "rain | 5: hail")], r"texts without \|"),  # its words would be two texts
        ([(10**400, "rain")], "texts with their seconds"),
        ([(0.0, "rain", 1.0)], "texts with their seconds"),
        ({"at": 0.0, "text": "rain"}, "texts with their seconds"),
        ([{"at": 0.0, "text": "rain", "until": 1.0}], "pairs"),
        ("nan: rain", "times from 0 s on"),
        ("-1: rain", "times from 0 s on"),
        ("2: rain | 1: hail", "in the order of their times"),
        ("1: rain | 1: hail", "in the order of their times"),
        ([{"at": 0}], "pairs"),
        ([(float(at), "rain") for at in range(MAX_PROMPTS + 1)], f"at most {MAX_PROMPTS} texts"),
    ],
)
def test_what_is_wrong_with_prompts_is_said(value: object, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        read_prompts(value)


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (5, "the path of a"),
        ("mask.jpg", "the path of a"),
        ("0:100", "the path of a"),
        (b"0:100:1", "the path of a"),
        (Path("folder"), "the path of a"),
        ([(0.0, 10**400, 1.0)], "the path of a"),
        ("-1:100:1", "seconds and Hz are 0 or more"),
        ("0:inf:1", "seconds and Hz are 0 or more"),
        ("nan:100:1", "seconds and Hz are 0 or more"),
        ("0:-100:1", "seconds and Hz are 0 or more"),
        ("0:100:1.5", "strength is 0 to 1"),
        ("0:100:nan", "strength is 0 to 1"),
        ("2:100:1 1:100:1", "in the order of their times"),
        ([(0.0, 1.0, 1.0)] * (MAX_POINTS + 1), f"at most {MAX_POINTS} points"),
    ],
)
def test_what_is_wrong_with_a_mask_is_said(value: object, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        read_mask(value)


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (True, "a take's seed"),
        (1.5, "a take's seed"),
        ("x", "a take's seed"),
        ("1/0.5", "a take's seed"),
        ("job:0", "a take's seed"),
        ("job:100", "a take's seed"),
        ("-job:1", "a take's seed"),
        ("1/x/2", "a take's seed"),
        ("1/nan/2", "ways from 0 to 1"),
        ("1/0.5/-2", "seeds from 0 on"),
        ("-1", "seeds from 0 on"),
        (2**63, "seeds from 0 on"),
        ("1/1.5/2", "ways from 0 to 1"),
        ("1" + "/0.5/2" * (MAX_STEPS_AWAY + 1), f"at most {MAX_STEPS_AWAY} steps"),
    ],
)
def test_what_is_wrong_with_a_search_is_said(value: object, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        read_around(value)


def test_words_are_read_as_they_are_typed() -> None:
    typed = " 0:  light \t rain|2.5: thunder: loud | "
    assert read_prompts(typed) == ((0.0, "light rain"), (2.5, "thunder: loud"))
    assert read_prompts("") == ()
    assert read_mask(" 0:1000:0\n2:1000:1 ") == ((0.0, 1000.0, 0.0), (2.0, 1000.0, 1.0))
    assert in_words(()) == ""
    assert in_words("/a/mask.png") == "/a/mask.png"
    assert in_words("12/0.3/57") == "12/0.3/57"


def test_the_first_search_starts_at_the_seed_alone() -> None:
    """What spread the first take was made with counts for nothing: it had nothing to be near."""
    assert further("", 0.7, 12) == "12"
    assert further("12", 0.25, 57) == "12/0.25/57"


@pytest.mark.parametrize("key", ["prompts", "mask", "around"])
def test_an_edit_names_the_parameter_and_the_value(key: str) -> None:
    with pytest.raises(RequestError, match=rf"^{key} is 5\.5; it must be ") as caught:
        Transfer(**{key: 5.5})
    assert caught.value.code == "bad-value"


def test_an_edit_holds_the_canonical_forms() -> None:
    edit = Transfer(prompts="0: rain", mask="0:100:1", around=12)  # type: ignore[arg-type]
    assert edit.prompts == ((0.0, "rain"),)
    assert edit.mask == ((0.0, 100.0, 1.0),)
    assert edit.around == "12"
    assert Transfer(**vars(edit)) == edit


def test_inpaint_takes_holes_or_a_mask() -> None:
    with pytest.raises(RequestError, match="give at least one, or a mask"):
        Inpaint()
    with pytest.raises(RequestError, match="holes and a mask"):
        Inpaint(holes=(Hole(0, 1),), mask="0:100:1")  # type: ignore[arg-type]
