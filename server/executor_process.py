"""A child process that runs jobs: told and heard in JSON lines, started again when it has died."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.executor import OnProgress, Outcome
from server.jobs import TakeFile
from server.watchdog import Limits, Verdict, Watchdog

log = logging.getLogger("retake.server")

#: What hello says of where jobs run until the process has said so.
STARTING = "starting"
GRACE_S = 5.0
LOOK_S = 0.25
#: A process that has died is started again after so long; then after twice that, up to a limit.
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
#: What a process says in one line. asyncio's own limit is 64 KiB: a long message would pass it.
MAX_LINE_BYTES = 2**24


def worker_environment() -> dict[str, str]:
    """A child finds the packages this process runs on, installed or not."""
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


@dataclass(eq=False)
class Hearing:
    """What is heard of one running job; None after the last line of a process that died."""

    process: asyncio.subprocess.Process
    watchdog: Watchdog
    events: asyncio.Queue[dict[str, Any] | None] = field(default_factory=asyncio.Queue)
    verdict: Verdict | None = None


class ProcessExecutor:
    """A process that takes orders and says what comes of them, one JSON object a line.

    Parameters
    ----------
    command : sequence of str
        Starts the process; its stdin and stdout carry the lines of server/worker.py.
    model : str
        The checkpoint it will load, for hello until the process has said so itself.
    spool : Path
        Where takes go.
    limits : Limits
        What a job may do before it is stopped.
    slots : int
        Jobs at once, until the process has said so itself.
    """

    def __init__(
        self, command: Sequence[str], model: str, spool: Path, limits: Limits, slots: int
    ) -> None:
        self._command, self._spool, self._limits = list(command), spool, limits
        self.model, self.device, self.slots = model, STARTING, slots
        self.on_slots: Callable[[], None] = lambda: None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._hearings: dict[str, Hearing] = {}
        self._waiting: dict[str, asyncio.Event] = {}  # for a process; set once cancelled
        self._starting = asyncio.Lock()
        self._wait_s = FIRST_WAIT_S
        self._restart: asyncio.Task[None] | None = None
        self._is_over = False

    async def start(self) -> None:
        """Start the process unless it lives; it gets ready on its own."""
        async with self._starting:
            if self._process and self._process.returncode is None:
                return
            pipe = asyncio.subprocess.PIPE
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=pipe,
                stdout=pipe,
                limit=MAX_LINE_BYTES,
                env=worker_environment(),
                creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),  # Windows
            )
            self._reader = asyncio.create_task(self._read(self._process))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        try:
            while line := await process.stdout.readline():
                self._hear(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:  # ValueError: too long, too
            # What it says next can't be trusted either; a new one is.
            log.error("a line of the process that runs jobs makes no sense: %s", error)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()
        self._note_end()
        for hearing in self._hearings.values():
            if hearing.process is process:  # and not one that was started since
                hearing.events.put_nowait(None)

    def _hear(self, event: dict[str, Any]) -> None:
        if event["event"] == "ready":
            self._note_ready(event)
        elif event["event"] == "beat":
            for job, hearing in self._hearings.items():
                if event.get("job", job) == job:
                    hearing.watchdog.note_beat(event["memory_bytes"])
        elif event.get("job") in self._hearings:
            self._hearings[event["job"]].events.put_nowait(event)

    def _note_ready(self, event: dict[str, Any]) -> None:
        self.model, self.device = event["model"], event["device"]
        if "code" in event:
            log.error("model %s can't be loaded: %s", event["model"], event["message"])
        else:
            log.info("model %s ready on %s", self.model, self.device)
            self._wait_s = FIRST_WAIT_S

    def _note_end(self) -> None:
        """The process is gone: it is started again, so that the next job finds it ready."""
        if self._is_over or (self._restart and not self._restart.done()):
            return
        log.error("the process that runs jobs ended; again in %g s", self._wait_s)
        self._restart = asyncio.create_task(self._start_later(self._wait_s))
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)

    async def _start_later(self, wait_s: float) -> None:
        while True:
            await asyncio.sleep(wait_s)
            try:
                return await self.start()
            except OSError as error:
                log.error("the process that runs jobs can't be started: %s", error)

    async def run(self, job: str, submission: str, path: str, on_progress: OnProgress) -> Outcome:
        """Run one job; a process that dies on the way makes it `lost`, one that can't be started is
        waited for."""
        if not await self._is_started_for(job, on_progress):
            return Outcome("stop")
        assert self._process
        self._hearings[job] = hearing = Hearing(self._process, Watchdog(self._limits))
        guard = asyncio.create_task(self._guard(job, hearing))
        order = {"submission": submission, "path": path, "spool": str(self._spool)}
        self._order(do="run", job=job, **order, spare_bytes=self._limits.spare_bytes)
        try:
            return await self._follow(job, hearing, on_progress)
        except (KeyError, TypeError, ValueError) as error:  # it is of another version, perhaps
            log.error("what the process that runs jobs says of %s makes no sense: %s", job, error)
            with contextlib.suppress(ProcessLookupError):
                hearing.process.kill()
            await hearing.process.wait()  # the next job must find another one
            return _lost(job, hearing, f"it said what makes no sense: {error}")
        finally:
            guard.cancel()
            del self._hearings[job]

    async def _is_started_for(self, job: str, on_progress: OnProgress) -> bool:
        """Until there is a process; False where the job is cancelled before, or all is over."""
        self._waiting[job] = cancelled = asyncio.Event()
        try:
            while not cancelled.is_set() and not self._is_over:
                try:
                    await self.start()
                except OSError as error:  # no memory or process to be had: later, perhaps
                    log.error("the worker can't be started: %s", error)
                    on_progress(0.0, f"the worker can't be started: {error}")
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(cancelled.wait(), GRACE_S)
                else:
                    return not cancelled.is_set()
            return False
        finally:
            del self._waiting[job]

    async def _follow(self, job: str, hearing: Hearing, on_progress: OnProgress) -> Outcome:
        """What comes of a job that a process has."""
        while (event := await hearing.events.get()) is not None:
            if event["event"] == "lost":
                return _lost(job, hearing, event["message"])
            if event["event"] != "progress":
                return _outcome(event)
            hearing.watchdog.note_progress(event["fraction"], event["stage"])
            on_progress(event["fraction"], event["stage"])
        return _lost(job, hearing, f"exit status {hearing.process.returncode}")

    async def _guard(self, job: str, hearing: Hearing) -> None:
        while (verdict := hearing.watchdog.verdict()) is None:
            await asyncio.sleep(LOOK_S)
        hearing.verdict = verdict
        log.error("job %s: %s; the worker is stopped", job, verdict.message)
        await self._give_up(job, hearing.process)

    async def _give_up(self, job: str, process: asyncio.subprocess.Process) -> None:
        """Stop what runs a job that is beyond hope."""
        with contextlib.suppress(ProcessLookupError):
            process.kill()

    def cancel(self, job: str) -> None:
        """Tell the process; the job stops at its next step, or isn't begun."""
        if job in self._waiting:
            self._waiting[job].set()
        else:
            self._order(do="cancel", job=job)

    def _order(self, **order: Any) -> None:
        if self._process and self._process.stdin and not self._process.stdin.is_closing():
            # A dead process's pipe: run() sees its end of output.
            with contextlib.suppress(ConnectionError):
                self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def stop(self) -> None:
        """Close the process's lines; it leaves at its next step, or is killed."""
        self._is_over = True
        if self._restart:
            self._restart.cancel()
            await asyncio.gather(self._restart, return_exceptions=True)
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), GRACE_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._reader:
            await self._reader


def _lost(job: str, hearing: Hearing, why: str) -> Outcome:
    if hearing.verdict:
        verdict = hearing.verdict
        return Outcome(verdict.what, code=verdict.code, message=verdict.message)
    log.error("worker died during job %s: %s", job, why)
    return Outcome("lost", message=why)


def _outcome(event: dict[str, Any]) -> Outcome:
    takes = tuple(TakeFile(**take) for take in event.get("takes", ()))
    return Outcome(event["event"], takes, event.get("code", ""), event.get("message", ""))
