"""`around=job:index`: what isn't given is as it was in that job; the search starts at its take."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from engine.automation import MAX_STEPS_AWAY
from engine.edits import Hole
from engine.errors import RequestError
from presets import TAILS
from server.around import parse_around
from server.jobs import Jobs, TakeFile
from server.osc import Value
from server.submission import Submission, parse_pairs


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path / "jobs.sqlite")


def pairs(**keys: Value) -> tuple[Value, ...]:
    return tuple(part for pair in keys.items() for part in pair)


def keep(jobs: Jobs, name: str, submission: Submission, *seeds: int) -> None:
    """A job that is done, with takes of these seeds."""
    jobs.submit(name, "me", submission.to_json())
    jobs.move(name, "start")
    takes = tuple(
        TakeFile(index, f"/spool/{name}.{index}.wav", 100, 48000, 1, seed, None)
        for index, seed in enumerate(seeds, 1)
    )
    jobs.move(name, "finish", takes=takes)


@pytest.fixture
def liked(jobs: Jobs) -> Submission:
    given = pairs(
        edit="transfer", path="/clips/a.wav", start=100, frames=4000, prompt="rain", strength=0.7
    )
    submission = parse_pairs(given)
    keep(jobs, "first", submission, 11, 12)
    return submission


def test_all_is_as_it_was_but_the_noise(jobs: Jobs, liked: Submission) -> None:
    found = parse_around(pairs(around="first:2", takes=4), jobs)
    assert (found.path, found.start_frames, found.frames) == ("/clips/a.wav", 100, 4000)
    before, after = vars(liked.edit), vars(found.edit)
    assert {key for key in before if before[key] != after[key]} == {"around", "takes"}
    assert after["around"] == "12"


def test_what_is_given_wins(jobs: Jobs, liked: Submission) -> None:
    given = pairs(around="first:1", path="/clips/b.wav", prompt="hail", spread=0.1, start=7)
    found = parse_around(given, jobs)
    assert (found.path, found.start_frames, found.frames) == ("/clips/b.wav", 7, 4000)
    assert (found.edit.prompt, found.edit.spread, found.edit.around) == ("hail", 0.1, "11")


def test_a_search_from_a_found_take_goes_on_from_there(jobs: Jobs, liked: Submission) -> None:
    found = parse_around(pairs(around="first:1", spread=0.2), jobs)
    keep(jobs, "second", found, 21, 22)
    again = parse_around(pairs(around="second:2"), jobs)
    assert again.edit.around == "11/0.2/22"
    assert again.edit.spread == 0.2


def test_a_seed_is_left_to_the_engine(jobs: Jobs) -> None:
    given = pairs(edit="generate", prompt="rain", around=12)
    assert parse_around(given, jobs) == parse_pairs(given)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (pairs(around="nobody:1"), "unknown-job"),
        (pairs(around="first:3"), "unknown-job"),
        (pairs(around="first:1", edit="vary"), "bad-value"),
        (pairs(around="first:1", preset="angry-shout"), "bad-value"),
        (pairs(around="first:1", strength=1.5), "bad-value"),
        (pairs(around="first:1", path="relative.wav"), "bad-value"),
    ],
)
def test_what_cannot_be_searched_is_said(
    jobs: Jobs, liked: Submission, given: tuple[Value, ...], code: str
) -> None:
    with pytest.raises(RequestError) as caught:
        parse_around(given, jobs)
    assert caught.value.code == code


def test_a_found_takes_lineage_grows_by_a_step_each_time(jobs: Jobs, liked: Submission) -> None:
    found = parse_around(pairs(around="first:1", spread=0.5), jobs)
    for step in range(1, 4):
        keep(jobs, f"step-{step}", found, 100 + step)
        found = parse_around(pairs(around=f"step-{step}:1"), jobs)
    assert found.edit.around == "11/0.5/101/0.5/102/0.5/103"


def test_no_search_goes_on_for_ever(jobs: Jobs, liked: Submission) -> None:
    far = dataclasses.replace(liked.edit, around="1" + "/0.5/2" * MAX_STEPS_AWAY)
    keep(jobs, "far", dataclasses.replace(liked, edit=far), 3)
    with pytest.raises(RequestError, match="steps away from the first take") as caught:
        parse_around(pairs(around="far:1"), jobs)
    assert caught.value.code == "bad-value"


def test_uploads_clips_and_the_queue_are_inherited_or_given(jobs: Jobs) -> None:
    given = pairs(edit="vary", upload="voice", model="/models/a", priority="front", amount=0.4)
    keep(jobs, "uploaded", parse_pairs(given), 5)
    found = parse_around(pairs(around="uploaded:1"), jobs)
    assert (found.path, found.upload, found.start_frames, found.frames) == ("", "voice", 0, None)
    assert (found.model, found.priority) == ("/models/a", "front")
    other = parse_around(
        pairs(around="uploaded:1", path="/clips/b.wav", model="pocket", priority="back"), jobs
    )
    assert (other.path, other.upload) == ("/clips/b.wav", "")
    assert (other.model, other.priority) == ("pocket", "back")


def test_generate_needs_no_clip_and_texts_over_time_are_kept(jobs: Jobs) -> None:
    keep(jobs, "made", parse_pairs(pairs(edit="generate", prompts="0: rain | 2: hail")), 5)
    found = parse_around(pairs(around=" made:1 ", edit="generate"), jobs)
    assert found.edit.prompts == ((0.0, "rain"), (2.0, "hail"))  # type: ignore[attr-defined]
    assert Submission.from_json(found.to_json()) == found
    for stray in ({"start": 5}, {"path": "/clips/a.wav"}):
        with pytest.raises(RequestError, match="takes no clip") as caught:
            parse_around(pairs(around="made:1", **stray), jobs)
        assert caught.value.code == "unknown-key"


def test_a_job_is_itself_again_though_the_one_it_was_like_is_gone(
    jobs: Jobs, liked: Submission
) -> None:
    """Asked for twice, a job answers with its present state, whatever became of others."""
    given = pairs(around="first:2", path="/clips/b.wav", prompt="hail", takes=2)
    keep(jobs, "second", parse_around(given, jobs, "second"), 21, 22)
    jobs.forget(["first"])
    again = parse_around(given, jobs, "second")
    assert jobs.submit("second", "me", again.to_json()) == (jobs.get("second"), False)
    for other in (
        pairs(around="first:2", path="/clips/b.wav", prompt="rain"),
        pairs(around="first:2", path="/clips/a.wav"),
        pairs(around="first:2", tail="longer"),
    ):
        with pytest.raises(RequestError, match="no job is called 'first'"):
            parse_around(other, jobs, "second")
    with pytest.raises(RequestError, match="no job is called 'first'"):
        parse_around(given, jobs, "third")


def test_what_stood_against_the_given_gives_way(jobs: Jobs) -> None:
    """A curve wins over a strength, and inpaint takes one of holes and mask."""
    clip = {"path": "/clips/a.wav"}
    curved = pairs(edit="transfer", curve="0:0.2 1:0.8", mask="/m.png", **clip)
    keep(jobs, "curved", parse_pairs(curved), 5)
    keep(jobs, "holes", parse_pairs(pairs(edit="inpaint", hole="0:4800", **clip)), 5)
    keep(jobs, "mask", parse_pairs(pairs(edit="inpaint", mask="/m.png", **clip)), 5)
    straight = vars(parse_around(pairs(around="curved:1", strength=0.0), jobs).edit)
    assert (straight["strength"], straight["curve"], straight["mask"]) == (0.0, (), "/m.png")
    both = vars(parse_around(pairs(around="curved:1", strength=0.9, curve="0:1"), jobs).edit)
    assert (both["strength"], both["curve"]) == (0.9, ((0.0, 1.0),))
    masked = vars(parse_around(pairs(around="holes:1", mask="0:0:1"), jobs).edit)
    assert (masked["mask"], masked["holes"]) == (((0.0, 0.0, 1.0),), ())
    filled = vars(parse_around(pairs(around="mask:1", hole="0:100"), jobs).edit)
    assert (filled["mask"], filled["holes"]) == ((), (Hole(0, 100),))


@pytest.fixture
def preset_job(jobs: Jobs) -> Submission:
    submission = parse_pairs(pairs(preset="cathedral", path="/clips/a.wav"))
    keep(jobs, "preset", submission, 5)
    return submission


def test_a_presets_finish_is_kept_and_its_tail_may_be_given(
    jobs: Jobs, preset_job: Submission
) -> None:
    kept = preset_job.finish
    assert kept is not None
    assert parse_around(pairs(around="preset:1"), jobs).finish == kept
    named = parse_around(pairs(around="preset:1", preset="cathedral"), jobs)
    assert named.finish == kept
    for tail in TAILS:
        found = parse_around(pairs(around="preset:1", tail=tail), jobs)
        assert found.finish == dataclasses.replace(kept, tail=tail)


@pytest.mark.parametrize(
    ("given", "code", "named"),
    [
        (pairs(around="preset:1", preset="angry-shout"), "bad-value", "preset is angry-shout"),
        (pairs(around="first:1", preset="angry-shout"), "bad-value", "is of none"),
        (pairs(around="first:1", tail="fade"), "unknown-key", "tail goes with a preset"),
        (pairs(around="first:1", mask="m.png"), "bad-value", "must be absolute"),
        (pairs(around="first:1", upload="u", path="/a.wav"), "bad-request", "both"),
        (pairs(around="first:1", cutoff=100.0), "unknown-key", "takes no 'cutoff'"),
        (pairs(around="first:1", start=-1), "bad-value", "start"),
        (pairs(around="first:01"), "bad-value", "job:index"),
        (pairs(around="::1"), "bad-value", "job:index"),
        (pairs(around="x" * 100_000 + ":1"), "bad-value", "job:index"),
        (pairs(around="waiting:1"), "unknown-job", "has 0 takes, no take 1"),
        (("around", "first:1", "prompt"), "bad-request", "has no value"),
        (pairs(around="nobody:1"), "unknown-job", "no job is called 'nobody'"),
    ],
)
def test_a_refusal_names_what_is_wrong(
    jobs: Jobs,
    liked: Submission,
    preset_job: Submission,
    given: tuple[Value, ...],
    code: str,
    named: str,
) -> None:
    jobs.submit("waiting", "me", liked.to_json())
    with pytest.raises(RequestError, match=named) as caught:
        parse_around(given, jobs)
    assert caught.value.code == code
    assert len(str(caught.value)) < 1000
