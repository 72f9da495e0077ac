"""Keeps queued jobs moving: each is begun, followed, and what came of it written down and told."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from engine.errors import RetakeError
from server import events, spool, spool_files
from server.audience import Audience
from server.executor import Executor, Outcome
from server.jobs import TRANSITIONS, Job, Jobs, State
from server.messages import build
from server.on_disk import OnDisk
from server.seldom import Seldom
from server.status_files import AT_REST, StatusFiles
from server.store import is_damage
from server.submission import Submission

log = logging.getLogger("retake.server")

PROGRESS_EVERY_S = 0.25
#: What can't be written down now (a full disk, a locked file) is tried again so often.
RETRY_S = 0.5
TROUBLE_EVERY_S = 30.0

T = TypeVar("T")


@dataclass
class Run:
    """A job that runs: when it began, when its fraction left 0, and how far it is."""

    began_s: float = field(default_factory=time.monotonic)
    moved_s: float = field(default_factory=time.monotonic)
    progress: tuple[float, str, float] = AT_REST
    is_handed_over: bool = False  # to the executor: takes there may be this job's
    is_cancelled: bool = False


class Runner:
    """Runs jobs on an executor, as many at once as that has slots.

    Parameters
    ----------
    jobs : Jobs
    on_disk : OnDisk
        Waits for the store to be synced.
    executor : Executor
    folder : Path
        The spool.
    audience : Audience
    files : StatusFiles
    """

    def __init__(
        self,
        jobs: Jobs,
        on_disk: OnDisk,
        executor: Executor,
        folder: Path,
        audience: Audience,
        files: StatusFiles,
    ) -> None:
        self._jobs, self._on_disk, self._executor = jobs, on_disk, executor
        self._spool, self._audience, self._files = folder, audience, files
        self._runs: dict[str, Run] = {}
        self._interrupted: dict[str, Run] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._trouble = Seldom(log, TROUBLE_EVERY_S)
        executor.on_slots = self.wake

    async def work(self) -> None:
        """Run queued jobs until told to stop."""
        for job in await self._insist(self._jobs.recover):
            log.info("job %s was running when the server ended; now %s", job.name, job.state.value)
            self._finish(job) if job.is_ended else self._files.write(job)
        for job in await self._insist(self._jobs.live):
            self._files.keep(job)
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                self._wake.clear()
                for task in [task for task in tasks if task.done()]:
                    tasks.remove(task)
                    task.result()
                while self._has_room() and (next_job := self._begin_next()):
                    tasks.add(self._start(next_job))
                if self._stopping and not tasks:
                    return
                await self._wake.wait()
        except asyncio.CancelledError:
            self._interrupted = dict(self._runs)
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """There may be something to do: a job was queued, or a slot came free."""
        self._wake.set()

    def stop(self) -> None:
        """Take no further job; `work` returns when those that run have ended."""
        self._stopping = True
        self.wake()

    def give_back(self) -> None:
        """Queue the jobs that cancelling `work` interrupted, once the executor has stopped.

        They are as if they had never begun: being stopped is no attempt, and a first attempt must
        find no takes. What can't be given back stays as it is; `recover` takes it up.
        """
        for name, run in self._interrupted.items():
            try:
                job = self._jobs.find(name)
                if job is None or job.state != State.RUNNING:
                    continue
                if not run.is_handed_over or self._remove_takes(name):
                    self._files.write(self._jobs.move(name, "give_back"))
            except sqlite3.Error as error:
                log.warning("job %s can't be given back to the queue: %s", name, error)

    def summary(self) -> str:
        """How things stand, in one line."""
        n_queued = self._jobs.count_queued()
        waiting = f"{n_queued} waiting" if n_queued else "none waiting"
        if not self._runs:
            return f"{self._executor.model} on {self._executor.device}: idle, {waiting}"
        running = []
        for name, run in self._runs.items():
            fraction, stage, left_s = run.progress
            left = f", {left_s:.0f} s left" if left_s >= 0 else ""
            running.append(f"{name}: {fraction:.0%} {stage}{left}")
        return f"{'; '.join(running)}; {waiting}"

    def progress_of(self, name: str) -> tuple[float, str, float]:
        """A running job's fraction, stage and seconds left; `AT_REST` of any other."""
        run = self._runs.get(name)
        return run.progress if run else AT_REST

    def cancel(self, job: Job) -> None:
        """End a queued job at once; a running one at its next step."""
        job = self._jobs.move(job.name, "cancel")
        self._on_disk.later()
        if job.is_ended:
            self._finish(job)
            return
        if job.name in self._runs:  # or the server ended under it, and it is not taken up yet
            self._runs[job.name].is_cancelled = True
        self._executor.cancel(job.name)

    def mend(self, error: sqlite3.Error) -> bool:
        """Look after a store that gave an error; whether it is worth asking again at once."""
        if not (is_damage(error) or self._jobs.is_broken):
            self._trouble.warning("the store of jobs: %s", error)
            return False
        try:
            self._jobs.mend()
        except (sqlite3.Error, OSError) as worse:
            self._trouble.warning("the store of jobs is damaged and no new one begun: %s", worse)
            return False
        log.error(
            "jobs.sqlite was damaged (%s); it is kept as %s, %d jobs were saved, takes stay",
            *(error, self._jobs.moved_aside, self._jobs.n_saved),
        )
        return True

    def _has_room(self) -> bool:
        return not self._stopping and len(self._runs) < self._executor.slots

    def _begin_next(self) -> Job | None:
        """The job whose turn it is, moved to running; None where none waits or can be begun."""
        try:
            job = self._jobs.next()
            return self._jobs.move(job.name, "start") if job else None
        except sqlite3.Error as error:
            self.mend(error)
            asyncio.get_running_loop().call_later(RETRY_S, self.wake)
            return None

    def _start(self, job: Job) -> asyncio.Task[None]:
        self._runs[job.name] = Run()
        task = asyncio.create_task(self._run(job))
        task.add_done_callback(lambda _: self.wake())
        return task

    async def _run(self, job: Job) -> None:
        self._files.write(job)
        self._audience.tell(job.name, build("/retake/started", job.name))
        running = asyncio.ensure_future(self._execute(job))
        try:
            await self._beat(job, running)
            await self._settle(job, running.result())
        finally:
            running.cancel()
            del self._runs[job.name]

    async def _execute(self, job: Job) -> Outcome:
        try:
            submission = Submission.from_json(job.submission)
        except (RetakeError, KeyError, TypeError, ValueError) as error:
            message = f"the stored request is of another version of Retake: {error}"
            return Outcome("fail", code="internal", message=message)
        if job.attempts > 1:
            self._remove_takes(job.name)  # of an attempt the worker died in
        elif await asyncio.to_thread(spool_files.take_paths, self._spool, job.name):
            message = f"takes of another {job.name!r} came into the spool; choose a new name"
            return Outcome("fail", code="conflict", message=message)
        path = submission.path
        if submission.upload:
            path = str(spool.upload_path(self._spool, submission.upload))
        if self._runs[job.name].is_cancelled:  # the executor couldn't hear it yet
            return Outcome("stop")
        self._runs[job.name].is_handed_over = True
        on_progress = partial(self._note_progress, job.name)
        return await self._executor.run(job.name, job.submission, path, on_progress)

    async def _beat(self, job: Job, running: asyncio.Future[Outcome]) -> None:
        """Until the job ends, say how it stands at least four times a second."""
        while True:
            done, _ = await asyncio.wait({running}, timeout=PROGRESS_EVERY_S)
            if done:
                return
            self._note_progress(job.name, *self.progress_of(job.name)[:2])
            self._files.write(self._jobs_word(job), self.progress_of(job.name))

    def _jobs_word(self, job: Job) -> Job:
        """The job as the store has it, or as it was where that can't be read now."""
        try:
            return self._jobs.find(job.name) or job
        except sqlite3.Error as error:
            self.mend(error)
            return job

    def _note_progress(self, name: str, fraction: float, stage: str) -> None:
        run = self._runs[name]
        if not fraction:
            run.moved_s = time.monotonic()  # loading a model says nothing about what follows
        left_s = events.seconds_left(fraction, time.monotonic() - run.moved_s)
        run.progress = (fraction, stage, left_s)
        self._audience.tell(name, build("/retake/progress", name, *run.progress))

    async def _settle(self, job: Job, outcome: Outcome) -> None:
        """Write down what came of a job and tell it."""
        job = await self._insist(partial(self._write_down, job, outcome), job.name)
        log.info("job %s: %s %s", job.name, job.state.value, job.message)
        if job.is_ended:
            self._finish(job)
        else:
            self._files.write(job)
            position = await self._insist(partial(self._jobs.position, job.name))
            self._audience.tell(job.name, build("/retake/queued", job.name, position))
        # Who hears of an ending needn't wait for the disk: after a power cut in this second the
        # job is made once more, and its takes are the same.
        self._on_disk.later()

    def _write_down(self, job: Job, outcome: Outcome) -> Job:
        self._jobs.put_back(job)
        state = self._jobs.get(job.name).state
        if outcome.what == "lost" or (state, outcome.what) not in TRANSITIONS:
            return self._jobs.lose(job.name, outcome.message)
        seconds = time.monotonic() - self._runs[job.name].began_s
        facts = {"code": outcome.code, "message": outcome.message, "takes": outcome.takes}
        return self._jobs.move(job.name, outcome.what, seconds=seconds, **facts)

    async def _insist(self, what: Callable[[], T], job: str = "") -> T:
        """What the store answers, asked until it does; nothing is told that isn't written down."""
        while True:
            try:
                return what()
            except sqlite3.Error as error:
                self.mend(error)
                if job:
                    self._note_progress(job, self.progress_of(job)[0], f"the store: {error}")
            await asyncio.sleep(RETRY_S)

    def _finish(self, job: Job) -> None:
        if job.state != State.DONE and job.attempts and job.code != "conflict":
            self._remove_takes(job.name)
        self._files.write(job)
        for message in events.ending(job):
            self._audience.tell(job.name, message)
        self._audience.dismiss(job.name)

    def _remove_takes(self, name: str) -> bool:
        """Remove a job's takes; whether all are gone."""
        gone = [spool_files.remove(path) for path in spool_files.take_paths(self._spool, name)]
        return all(gone)
