"""Edits in the running Audacity, region by region, through its script pipe.

    python -m daw_bridge.audacity.batch --edit transfer --prompt "rain on a tin roof" --labels
    python -m daw_bridge.audacity.batch --preset cathedral --track 0 --start 1.5 --end 4

Each region is edited by the effect "Retake Other Edit", so that it gets a take in its place, sample
for sample, and can be brought back by one undo. Ctrl-C cancels the job that runs and leaves the
rest alone. Standard library only.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from daw_bridge.audacity.pipe import AudacityError, ScriptPipe
from daw_bridge.wire import ServerNotRunning, read_conf, state_folder

WAIT_S = 36_000
LOOK_S = 0.1
#: What Audacity needs after the effect has given up waiting.
GRACE_S = 60.0

Listener = Callable[[Mapping[str, str]], None]


@dataclass(frozen=True)
class Region:
    """A stretch of one track, in seconds of the project."""

    track: int
    start_s: float
    end_s: float
    name: str = ""


def regions(pipe: ScriptPipe, tracks: Sequence[int] = (), by_label: bool = False) -> list[Region]:
    """Every audio track from its start to its end, or what the labels mark in it.

    Parameters
    ----------
    pipe : ScriptPipe
    tracks : sequence of int, optional
        Counted from 0, as Audacity shows them; all audio tracks if not given.
    by_label : bool
        The labels' stretches instead of whole tracks; labels without a length are passed over.
    """
    found = [
        Region(i, track["start"], track["end"], track["name"])
        for i, track in enumerate(pipe.info("Tracks"))
        if track["kind"] == "wave" and (not tracks or i in tracks)
    ]
    if not by_label:
        return found
    labels = [label for _, rows in pipe.info("Labels") for label in rows]
    return [
        Region(whole.track, start_s, end_s, name)
        for whole in found
        for start_s, end_s, name in labels
        if start_s < end_s
    ]


def edit(
    pipe: ScriptPipe,
    region: Region,
    keys: Mapping[str, object],
    on_status: Listener | None = None,
    wait_s: int = WAIT_S,
    state_dir: str | os.PathLike[str] | None = None,
) -> str:
    """Put a take in the region's place and return its job's name.

    Parameters
    ----------
    pipe : ScriptPipe
    region : Region
    keys : mapping
        The keys of submit (docs/protocol.md), without those that say which audio.
    on_status : callable, optional
        Called with the job's status, some times a second, while it waits or runs.
    wait_s : int
        How long the effect waits for the take.
    state_dir : path, optional
        Where the server keeps server.conf.

    Raises
    ------
    AudacityError
        With the effect's own words, where it says why the audio is as it was.
    ServerNotRunning
    ValueError
        A value that would be read as another key.
    KeyboardInterrupt
        After the job has been cancelled.
    """
    spool = Path(read_conf(Path(state_dir) if state_dir else state_folder())["spool"])
    job = f"audacity-{uuid.uuid4().hex[:12]}"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        _select(pipe, region.track, region.start_s, region.end_s)
        pipe.send(_command({**keys, "job": job}, wait_s, report))
        failure = _follow(pipe, spool, job, wait_s, on_status)
        said = report.read_text(encoding="utf-8").strip() if report.exists() else ""
    if said != "ok":
        raise AudacityError(said or failure or "the effect said nothing; is the region empty?")
    _make_undo_point(pipe, region)
    return job


def cancel(spool: Path, job: str) -> None:
    """Ask the server to stop a job."""
    half = spool / f".{job}.tmp"
    half.write_text("request=cancel\nclient=audacity\n", encoding="utf-8")
    os.replace(half, spool / f"{job}.request")


def _follow(
    pipe: ScriptPipe, spool: Path, job: str, wait_s: int, on_status: Listener | None
) -> str:
    """Until the effect has ended; its report says how, and what is returned where it left none."""
    deadline = time.monotonic() + wait_s + GRACE_S
    failure = f"the effect didn't end within {wait_s + GRACE_S:g} s"
    interrupt: KeyboardInterrupt | None = None
    while time.monotonic() < deadline:
        try:
            try:
                if pipe.answer(LOOK_S) is not None:
                    failure = ""
                    break
            except AudacityError as error:
                failure = f"Audacity didn't run the effect: {error}"
                break
            if on_status and (status := _status(spool, job)):
                on_status(status)
        except KeyboardInterrupt as error:
            interrupt = error
            cancel(spool, job)
    if interrupt:
        raise interrupt
    return failure


def _status(spool: Path, job: str) -> dict[str, str]:
    try:
        text = (spool / f"{job}.status").read_text(encoding="utf-8")
    except OSError:
        return {}
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _select(pipe: ScriptPipe, track: int, start_s: float, end_s: float) -> None:
    pipe.do(f"SelectTracks: Track={track} TrackCount=1 Mode=Set")
    pipe.do(f"SelectTime: Start={start_s!r} End={end_s!r}")


def _command(keys: Mapping[str, object], wait_s: int, report: Path) -> str:
    pairs = {key: str(value) for key, value in keys.items() if value is not None}
    text = pairs.pop("prompt", "")
    for key, value in pairs.items():
        if ";" in value or "\n" in value:
            raise ValueError(
                f"{key} is {value!r}; of all keys only prompt may hold ; or a line end"
            )
    words = {
        "text": " ".join(text.split()),
        "keys": "; ".join(f"{key}={value}" for key, value in pairs.items()),
        "wait": wait_s,
        "report": report,
    }
    return "RetakeOtherEdit: " + " ".join(f'{key}="{_quote(word)}"' for key, word in words.items())


def _quote(word: object) -> str:
    return str(word).replace("\\", "\\\\").replace('"', '\\"')


def _make_undo_point(pipe: ScriptPipe, region: Region) -> None:
    """An effect that a script runs leaves no undo point; Join at one point leaves one, and no more.

    The point lies between two samples, where no two clips can meet.
    """
    at_s = region.start_s + min(1e-6, (region.end_s - region.start_s) / 2)
    _select(pipe, region.track, at_s, at_s)
    pipe.do("Join:")
    _select(pipe, region.track, region.start_s, region.end_s)


def _show(status: Mapping[str, str]) -> None:
    percent = 100 * float(status.get("fraction", "0"))
    print(f"\r  {status.get('state', '')} {percent:.0f} %  ", end="", file=sys.stderr)


def _chosen(pipe: ScriptPipe, options: argparse.Namespace) -> list[Region]:
    """What is to be edited, the last on the timeline first.

    A take that is longer or shorter than its region moves what follows; what lies before it stays.
    """
    found = []
    for region in regions(pipe, options.track, options.labels):
        start_s = region.start_s if options.start is None else options.start
        end_s = region.end_s if options.end is None else options.end
        found.append(Region(region.track, start_s, end_s, region.name))
    return sorted(found, key=lambda region: -region.start_s)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m daw_bridge.audacity.batch")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--edit", help="which edit: transfer, bandwidth, vary, loop, …")
    what.add_argument("--preset", help="a preset's name")
    parser.add_argument("--prompt", help="what it should sound like")
    parser.add_argument("--key", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--track", action="append", type=int, default=[], help="from 0; may repeat")
    parser.add_argument("--labels", action="store_true", help="what the labels mark")
    parser.add_argument("--start", type=float, metavar="SECONDS")
    parser.add_argument("--end", type=float, metavar="SECONDS")
    parser.add_argument("--wait", type=int, default=WAIT_S, metavar="SECONDS")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Edit every chosen region; the exit status says whether all went well."""
    options = _parse(arguments)
    keys: dict[str, object] = dict(one.split("=", 1) for one in options.key)
    keys |= {"edit": options.edit, "preset": options.preset, "prompt": options.prompt}
    n_failed = 0
    try:
        with ScriptPipe.connect() as pipe:
            for region in _chosen(pipe, options):
                where = f"{region.name} {region.start_s:g} to {region.end_s:g} s"
                print(where, file=sys.stderr)
                try:
                    job = edit(pipe, region, keys, _show, options.wait)
                    print(f"\r  done: {job}", file=sys.stderr)
                except AudacityError as error:
                    n_failed += 1
                    print(f"\r  {error}", file=sys.stderr)
    except (AudacityError, ServerNotRunning, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\n  cancelled", file=sys.stderr)
        return 130
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
