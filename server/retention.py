"""How long the spool keeps things: takes and uploads by age and by total size.

Nothing of a job that waits or runs is ever touched, nor what is younger than an hour.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from server import spool, spool_files
from server.jobs import Jobs

DAY_S = 86_400.0
#: Younger things stay even where the total is over its limit: their client is still at work.
YOUNG_S = 3600.0
#: Answers, refusals and half-written files of the dead.
LITTER_S = DAY_S
JOBS_A_SWEEP = 1000


@dataclass(frozen=True)
class Keep:
    """What is kept; 0 for ever.

    Parameters
    ----------
    days : float
        Since the job ended, or the upload came.
    total_bytes : int
        Of takes and uploads together; the oldest go first.
    """

    days: float = 30.0
    total_bytes: int = 20 * 2**30


@dataclass
class Holding:
    """A job's files, or an upload; `when_s` is when it ended or came, in seconds since 1970."""

    name: str
    when_s: float = 0.0
    n_bytes: int = 0
    files: list[Path] = field(default_factory=list)
    is_job: bool = True

    def add(self, entry: os.DirEntry[str]) -> None:
        """Count a file in; it is as young as its youngest."""
        found = entry.stat(follow_symlinks=False)
        self.files.append(Path(entry.path))
        self.n_bytes += found.st_size
        self.when_s = max(self.when_s, found.st_mtime)


@dataclass(frozen=True)
class Swept:
    """What a sweep took away."""

    n_files: int = 0
    n_bytes: int = 0


async def sweep(folder: Path, jobs: Jobs, keep: Keep, now_s: float | None = None) -> Swept:
    """Remove from a spool what is kept no longer, and forget the jobs it belonged to.

    Clients are answered meanwhile: a spool of many files is looked through on a thread. A file that
    can't be removed stays, and so does its job, until the next sweep.
    """
    now_s = time.time() if now_s is None else now_s
    asked = jobs.asked()
    last = asked[-1][0] if asked else 0
    needed = await asyncio.to_thread(_needed, asked)
    doomed = await asyncio.to_thread(_find, folder, jobs.ended(), needed, keep, now_s)
    gone = []
    for holding in doomed:
        for new in jobs.asked(after=last):  # meanwhile, perhaps for this very one
            last = new[0]
            needed |= _needed([new])
        if (holding.is_job, holding.name) not in needed and _remove(holding):
            gone.append(holding)
        await asyncio.sleep(0)
    jobs.forget(holding.name for holding in gone if holding.is_job)
    litter = sum(_sweep_litter(folder, now_s))
    n_files = sum(len(holding.files) for holding in gone)
    return Swept(n_files + litter, sum(holding.n_bytes for holding in gone))


def _find(
    folder: Path,
    ended: dict[str, float],
    needed: set[tuple[bool, str]],
    keep: Keep,
    now_s: float,
) -> list[Holding]:
    """What is to go, the oldest first."""
    holdings = [*_jobs_files(folder, ended), *_uploads(folder)]
    free = [holding for holding in holdings if (holding.is_job, holding.name) not in needed]
    total_bytes = sum(holding.n_bytes for holding in holdings)
    return list(_doomed(free, keep, total_bytes, now_s))[:JOBS_A_SWEEP]


def _jobs_files(folder: Path, ended: dict[str, float]) -> list[Holding]:
    """Every job that has files or has ended, whether the store still knows it or not."""
    holdings = {name: Holding(name) for name in ended}
    for entry in _files(folder):
        name = spool.take_job(entry.name)
        if entry.name.endswith(spool.STATUS_SUFFIX):
            name = entry.name.removesuffix(spool.STATUS_SUFFIX)
        if name and not name.startswith("."):
            holdings.setdefault(name, Holding(name)).add(entry)
    for name, ended_s in ended.items():
        holdings[name].when_s = ended_s
    return list(holdings.values())


def _uploads(folder: Path) -> Iterator[Holding]:
    uploads = folder / "uploads"
    if uploads.is_dir():
        for entry in _files(uploads):
            if entry.name.endswith(".wav"):
                holding = Holding(entry.name.removesuffix(".wav"), is_job=False)
                holding.add(entry)
                yield holding


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if entry.is_file(follow_symlinks=False))


def _needed(asked: list[tuple[int, str, str]]) -> set[tuple[bool, str]]:
    """Live jobs, and the uploads they are about: (whether a job, name)."""
    uploads = {(False, json.loads(text).get("upload", "")) for _, _, text in asked}
    return uploads | {(True, name) for _, name, _ in asked}


def _doomed(
    holdings: list[Holding], keep: Keep, total_bytes: int, now_s: float
) -> Iterator[Holding]:
    """The oldest first: too old, or one of those that make the total too large."""
    for holding in sorted(holdings, key=lambda one: one.when_s):
        age_s = now_s - holding.when_s
        is_old = bool(keep.days) and age_s > keep.days * DAY_S
        is_too_much = bool(keep.total_bytes) and total_bytes > keep.total_bytes
        if is_old or (is_too_much and holding.n_bytes and age_s > YOUNG_S):
            total_bytes -= holding.n_bytes
            yield holding


def _remove(holding: Holding) -> bool:
    gone = [spool_files.remove(path) for path in holding.files]
    return all(gone)


def _sweep_litter(folder: Path, now_s: float) -> Iterator[bool]:
    """Answers, and what was being written when a process died."""
    for place in (folder, folder / "uploads"):
        for entry in list(_files(place)) if place.is_dir() else ():
            is_litter = entry.name.startswith(".") or entry.name.endswith(spool.ANSWER_SUFFIX)
            if is_litter and now_s - entry.stat(follow_symlinks=False).st_mtime > LITTER_S:
                yield spool_files.remove(Path(entry.path))
