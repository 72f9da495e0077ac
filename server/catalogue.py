"""What there is to ask for: the lists of `/retake/list` and `retake list`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import engine
from engine.edits import EDITS
from presets import Shelf
from server.jobs import Jobs
from server.messages import LISTS


@dataclass(frozen=True)
class Item:
    """One entry: its name, a line about it, and what else is known."""

    name: str
    description: str
    more: tuple[str, ...] = ()


def items(kind: str, jobs: Jobs | None = None) -> list[Item]:
    """The entries of a list; `jobs` is empty where no store is given."""
    return _LISTS[kind](jobs)


def _edits(jobs: Jobs | None) -> list[Item]:
    return [
        Item(name, edit.summary, tuple(parameter.name for parameter in edit.parameters()))
        for name, edit in EDITS.items()
    ]


def _presets(jobs: Jobs | None) -> list[Item]:
    return [
        Item(preset.name, preset.description, (preset.family, preset.edit, *preset.tags))
        for preset in Shelf().presets()
    ]


def _models(jobs: Jobs | None) -> list[Item]:
    found = []
    if (Path(engine.__file__).parent / "pocket" / "unet").is_dir():
        found.append(Item("pocket", "the embedded checkpoint: small, offline, 16 kHz"))
    return found


def _jobs(jobs: Jobs | None) -> list[Item]:
    listed = jobs.latest() if jobs else []
    return [
        Item(job.name, json.loads(job.submission)["edit"], (job.state.value,)) for job in listed
    ]


_LISTS: dict[str, Callable[[Jobs | None], list[Item]]] = {
    "edits": _edits,
    "presets": _presets,
    "models": _models,
    "jobs": _jobs,
}
assert tuple(_LISTS) == LISTS
