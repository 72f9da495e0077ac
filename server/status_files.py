"""Status files: how each job stands, for hosts without sockets and for people who look."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from server import spool, spool_files
from server.jobs import Job, State

#: What can't be written is tried again after so long.
AGAIN_S = 0.5
#: Of a job that doesn't run: fraction, stage, seconds left.
AT_REST = (0.0, "", -1.0)


class StatusFiles:
    """The files `<job>.status` of one spool, written on a thread: a disk may be slow.

    What changes twice while the disk is busy is written once. A file that can't be written (a full
    disk, or on Windows another program that reads it just then) is tried again: a host may know a
    job's end from nothing else.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._refusals: dict[str, tuple[str, str]] = {}  # of requests under a live job's name
        self._texts: dict[Path, tuple[str, bool]] = {}  # to be written next; over what is there?
        self._failed: dict[Path, tuple[str, bool]] = {}  # to be tried again
        self._again: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def write(self, job: Job, progress: tuple[float, str, float] = AT_REST) -> None:
        """Say how a job stands; once it has ended, for the last time."""
        if job.state == State.DONE:
            progress = (1.0, "", 0.0)
        self._replace(job.name, spool.status_text(job, progress, self._refusals.get(job.name)))
        if job.is_ended:
            self._refusals.pop(job.name, None)

    def keep(self, job: Job, progress: tuple[float, str, float] = AT_REST) -> None:
        """Write a job's file where there is none yet, or no longer."""
        text = spool.status_text(job, progress, self._refusals.get(job.name))
        self._texts.setdefault(spool.status_path(self._folder, job.name), (text, False))
        self._begin()

    def refuse(self, job: Job, progress: tuple[float, str, float], code: str, message: str) -> None:
        """Say that a later request under a job's name wasn't taken; the job keeps its state."""
        self._refusals[job.name] = (code, message)
        self.write(job, progress)

    def refuse_name(self, name: str, code: str, message: str) -> None:
        """Say that a request wasn't taken which became no job."""
        self._replace(name, spool.refusal_text(name, code, message))

    async def written(self) -> None:
        """Until everything said so far stands in its file, or couldn't be written."""
        while self._writing and not self._writing.done():
            await asyncio.shield(self._writing)

    def _replace(self, name: str, text: str) -> None:
        path = spool.status_path(self._folder, name)
        self._failed.pop(path, None)
        self._texts[path] = (text, True)
        self._begin()

    def _begin(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._texts:
            texts, self._texts = self._texts, {}
            for path in await asyncio.to_thread(_write_all, texts):
                if path not in self._texts:
                    self._failed[path] = texts[path]
        if self._failed and self._again is None:
            self._again = asyncio.get_running_loop().call_later(AGAIN_S, self._try_again)

    def _try_again(self) -> None:
        self._again = None
        self._texts, self._failed = {**self._failed, **self._texts}, {}
        self._begin()


def _write_all(texts: Mapping[Path, tuple[str, bool]]) -> list[Path]:
    """The files that can't be written."""
    failed = []
    for path, (text, is_over) in texts.items():
        try:
            if is_over or not path.exists():
                spool_files.replace_text(path, text)
        except OSError:
            failed.append(path)
    return failed
