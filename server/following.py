"""`retake jobs`, `retake cancel` and `retake watch`: the running server's jobs from a terminal."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from engine.errors import Cancelled, RequestError
from server.config import state_folder
from server.messages import EVENTS, NAME, NAME_RULE, shorten

if TYPE_CHECKING:
    from daw_bridge.client import Client, Event


def jobs(options: argparse.Namespace) -> None:
    """Print the latest jobs, the oldest of them first."""
    with _connect(options) as client:
        rows = [
            dict(zip(("job", "edit", "state"), row, strict=False)) for row in client.items("jobs")
        ]
    if options.json:
        print(json.dumps(rows))
        return
    if not rows:
        print("no jobs")
    width = max((len(row["job"]) for row in rows), default=0)
    for row in rows:
        print(f"{row['job']:{width}}  {row['state']:10} {row['edit']}")


def cancel(options: argparse.Namespace) -> None:
    """Cancel a job and say how it ended."""
    _check_name(options.job)
    with _connect(options) as client:
        ending = client.cancel(options.job)
    words = {"cancelled": "is cancelled", "done": "was done already", "fail": "had failed already"}
    print(f"{options.job} {words[ending]}")


def watch(options: argparse.Namespace) -> None:
    """Print what happens to one job until it has ended, or to every job until Ctrl-C.

    Raises
    ------
    Cancelled
        The job watched was cancelled.
    RetakeError
        It failed; with its code.
    """
    from daw_bridge.wire import ServerError

    if options.job:
        _check_name(options.job)
    with _connect(options) as client:
        for job, event in _events(client, options.job):
            if options.json:
                print(json.dumps({"job": job, **_facts(event)}), flush=True)
            else:
                print(f"{job}  {_line(event)}", flush=True)
            if options.job and event.name == "fail":
                raise ServerError(*event.values)
            if options.job and event.name == "cancelled":
                raise Cancelled(job)


def _connect(options: argparse.Namespace) -> Client:
    from daw_bridge.client import Client

    # Over a stream nothing is lost: a watcher asks nothing that could be asked again.
    return Client.connect(state_folder(options.state_dir), "tcp", f"retake {options.command}")


def _events(client: Client, job: str | None) -> Iterator[tuple[str, Event]]:
    if job is None:
        yield from client.all_events()
    else:
        yield from ((job, event) for event in client.events(job))


def _facts(event: Event) -> dict[str, Any]:
    """An event as the protocol's table names its parts; NaN, which JSON has not, becomes null."""
    names = [argument.name for argument in EVENTS[f"/retake/{event.name}"].arguments[1:]]
    values = [
        None if isinstance(value, float) and math.isnan(value) else value for value in event.values
    ]
    return {"event": event.name, **dict(zip(names, values, strict=True))}


def _line(event: Event) -> str:
    facts = _facts(event)
    if event.name == "progress":
        left_s = facts["seconds_left"]
        left = f", {left_s:.0f} s left" if left_s >= 0 else ""
        return f"{facts['fraction']:4.0%} {facts['stage']}{left}"
    if event.name == "take":
        return f"take {facts['index']}: {facts['path']}, seed {facts['seed']}"
    if event.name == "done":
        return f"done in {facts['seconds']:.1f} s"
    if event.name == "fail":
        return f"failed: {facts['message']} ({facts['code']})"
    return event.name


def _check_name(job: str) -> None:
    if not NAME.fullmatch(job):
        raise RequestError("bad-value", f"the job is called {shorten(job)}; it must be {NAME_RULE}")
