"""A search around a take of an earlier job: what is not given is as it was there."""

from __future__ import annotations

import dataclasses
from typing import Any

from engine.automation import further
from engine.edits import PARAMETERS, Edit, make_edit
from engine.errors import RequestError
from presets import Finish, Shelf
from server.jobs import Job, Jobs
from server.osc import Value
from server.submission import Submission, check_clip, parse_pairs, sort_pairs

#: What was there gives way where one of these is given instead.
_REPLACED_BY = {"curve": "strength", "holes": "mask", "mask": "holes"}


#: The server's own keys as fields of a submission.
_FIELDS = {
    **{"path": "path", "upload": "upload", "start": "start_frames", "frames": "frames"},
    **{"model": "model", "priority": "priority"},
}


def parse_around(pairs: tuple[Value, ...], jobs: Jobs, asked_as: str = "") -> Submission:
    """The submission that submit's pairs ask for, `around` read as job:index where it is that.

    Parameters
    ----------
    pairs : tuple
        Keys and values.
    jobs : Jobs
    asked_as : str
        The name of the job asked for. Where it is there already and the job it was to be like is
        no more, its own submission is given if nothing in `pairs` is other than there.

    Raises
    ------
    RequestError
        As `parse_pairs`; `unknown-job`: no such job, or no such take of it; `bad-value`: another
        edit or preset than the job's, which can't be searched around.
    """
    own, values = sort_pairs(pairs)
    where = values.get("around")
    if not isinstance(where, str) or ":" not in where:
        return parse_pairs(pairs)
    name, _, index = PARAMETERS["around"].check(where).rpartition(":")
    job, same = jobs.find(name), jobs.find(asked_as)
    if job is None and same:
        there = Submission.from_json(same.submission)
        if _agrees(own, values, there):
            return there
    job = job or jobs.get(name)
    liked = Submission.from_json(job.submission)
    for key, known in (("edit", liked.edit.name), ("preset", _preset_of(liked))):
        if own.get(key, known) != known:
            raise RequestError(
                "bad-value",
                f"{key} is {own[key]}, yet take {index} of job {name} is of {known or 'none'}",
            )
    origin = further(liked.edit.around, liked.edit.spread, _seed_of(job, index))
    edit = make_edit(liked.edit.name, {**_kept(liked.edit, values), **values, "around": origin})
    place = _place(edit, liked, own)
    return dataclasses.replace(liked, edit=edit, finish=_finish(liked, own), **place)


def _agrees(own: dict[str, Any], values: dict[str, Any], there: Submission) -> bool:
    """Whether what is given, less where the search starts, is as it is there."""
    found = {"edit": there.edit.name, "preset": _preset_of(there)}
    found |= {key: getattr(there, field) for key, field in _FIELDS.items()}
    if there.finish:
        found["tail"] = there.finish.tail
    edit = {key: PARAMETERS[key].check(value) for key, value in values.items() if key != "around"}
    return (
        bool(there.edit.around)
        and all(found.get(key) == value for key, value in own.items())
        and all(getattr(there.edit, key, None) == value for key, value in edit.items())
    )


def _preset_of(liked: Submission) -> str:
    return liked.finish.preset if liked.finish else ""


def _seed_of(job: Job, index: str) -> int:
    for take in job.takes:
        if index == str(take.index):
            return take.seed
    raise RequestError(
        "unknown-job", f"job {job.name!r} has {len(job.takes)} takes, no take {index[:20]}"
    )


def _kept(liked: Edit, values: dict[str, Any]) -> dict[str, Any]:
    """Parameters as they were there, less those that would stand against what is given."""
    return {
        name: value
        for name, value in vars(liked).items()
        if values.get(_REPLACED_BY.get(name, ""), "") == ""
    }


def _finish(liked: Submission, own: dict[str, Any]) -> Finish | None:
    """The preset's finish as it was there, its tail as it is given."""
    if "tail" not in own:
        return liked.finish
    if liked.finish is None:
        raise RequestError("unknown-key", "tail goes with a preset, and the job has none")
    asked = Shelf().get(liked.finish.preset).finish_with(own["tail"])
    return dataclasses.replace(liked.finish, tail=asked.tail)


def _place(edit: Edit, liked: Submission, own: dict[str, Any]) -> dict[str, Any]:
    """What is given of the clip and the queue, checked, as a submission's fields."""
    found = {field: own[key] for key, field in _FIELDS.items() if key in own}
    clip: dict[str, Any] = {key: own[key] for key in ("path", "upload") if key in own}
    if clip:
        found |= {"path": "", "upload": "", **clip}
    else:
        clip = {key: there for key in ("path", "upload") if (there := getattr(liked, key))}
    check_clip(edit, {**own, **clip})
    return found
