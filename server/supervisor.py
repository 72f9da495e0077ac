"""Keeps the worker process alive and speaks with it: one job at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from server.jobs import TakeFile
from server.watchdog import Limits, Verdict, Watchdog

log = logging.getLogger("retake.server")

GRACE_S = 5.0
LOOK_S = 0.25


@dataclass(frozen=True)
class Outcome:
    """What came of a job: `what` is the event for TRANSITIONS: finish, fail, stop or lost."""

    what: str
    takes: tuple[TakeFile, ...] = ()
    code: str = ""
    message: str = ""


OnProgress = Callable[[float, str], None]


class Executor(Protocol):
    """Something that runs jobs. The local worker process is one; a cluster may be another."""

    model: str
    device: str

    async def start(self) -> None:
        """Get ready, so that the first job isn't slow."""

    async def run(self, job: str, submission: str, path: str, on_progress: OnProgress) -> Outcome:
        """Run one job to its end, whatever that is."""

    def cancel(self, job: str) -> None:
        """Stop a running job within one denoising step."""

    async def stop(self) -> None:
        """Give everything back."""


def worker_command(model: str, device: str) -> list[str]:
    """How the worker is started."""
    # -P: whatever folder the server was started in, nothing is imported from there.
    return [sys.executable, "-P", "-m", "server.worker", "--model", model, "--device", device]


def worker_environment() -> dict[str, str]:
    """The worker finds the packages this process runs on, installed or not."""
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


class LocalExecutor:
    """The worker process on this machine, started again when it has died.

    Parameters
    ----------
    command : sequence of str
        Starts the worker; its stdin and stdout carry the lines of server/worker.py.
    model : str
        The checkpoint it will load, for hello until the worker has said so itself.
    spool : Path
        Where takes go.
    limits : Limits
        What the worker may do before it is stopped.
    """

    def __init__(
        self, command: Sequence[str], model: str, spool: Path, limits: Limits | None = None
    ) -> None:
        self._command, self._spool = list(command), spool
        self._limits = limits or Limits()
        self._watchdog: Watchdog | None = None  # of the running job
        self.model, self.device = model, "starting"
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._lines: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def start(self) -> None:
        """Start the process unless it lives; it loads the model on its own."""
        if self._process and self._process.returncode is None:
            return
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, env=worker_environment()
        )
        self._lines = asyncio.Queue()
        self._reader = asyncio.create_task(self._read(self._process, self._lines))

    async def _read(
        self, process: asyncio.subprocess.Process, lines: asyncio.Queue[dict[str, Any] | None]
    ) -> None:
        assert process.stdout
        while line := await process.stdout.readline():
            event = json.loads(line)
            if event["event"] == "beat":
                if self._watchdog:
                    self._watchdog.note_beat(event["memory_bytes"])
            elif event["event"] == "ready":
                self._note_ready(event)
            else:
                lines.put_nowait(event)
        await process.wait()
        lines.put_nowait(None)

    def _note_ready(self, event: dict[str, Any]) -> None:
        self.model, self.device = event["model"], event["device"]
        if "code" in event:
            log.error("model %s can't be loaded: %s", event["model"], event["message"])
        else:
            log.info("model %s ready on %s", self.model, self.device)

    async def run(self, job: str, submission: str, path: str, on_progress: OnProgress) -> Outcome:
        """Run one job; a worker that dies on the way makes the outcome `lost`."""
        await self.start()
        assert self._process
        lines, self._watchdog = self._lines, Watchdog(self._limits)
        guard = asyncio.create_task(self._guard(job, self._process, self._watchdog))
        spare_bytes = self._limits.spare_bytes
        order = {"submission": submission, "path": path, "spool": str(self._spool)}
        self._order(do="run", job=job, **order, spare_bytes=spare_bytes)
        try:
            while (event := await lines.get()) is not None:
                if event.get("job") != job:
                    continue
                if event["event"] != "progress":
                    return _outcome(event)
                self._watchdog.note_progress(event["fraction"], event["stage"])
                on_progress(event["fraction"], event["stage"])
            return self._dead(job, guard)
        finally:
            guard.cancel()
            self._watchdog = None

    async def _guard(
        self, job: str, process: asyncio.subprocess.Process, watchdog: Watchdog
    ) -> Verdict:
        """Kill the worker when it is beyond hope."""
        while (verdict := watchdog.verdict()) is None:
            await asyncio.sleep(LOOK_S)
        log.error("job %s: %s; the worker is stopped", job, verdict.message)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return verdict

    def _dead(self, job: str, guard: asyncio.Task[Verdict]) -> Outcome:
        code = self._process.returncode if self._process else None
        self._process = None
        if guard.done():
            verdict = guard.result()
            return Outcome(verdict.what, code=verdict.code, message=verdict.message)
        log.error("worker died with exit status %s during job %s", code, job)
        return Outcome("lost", message=f"exit status {code}")

    def cancel(self, job: str) -> None:
        """Tell the worker; it stops at its next step."""
        self._order(do="cancel", job=job)

    def _order(self, **order: Any) -> None:
        if self._process and self._process.stdin and not self._process.stdin.is_closing():
            # A dead worker's pipe: run() sees its end of output.
            with contextlib.suppress(ConnectionError):
                self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def stop(self) -> None:
        """Close the worker's lines; it leaves at its next step, or is killed."""
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


def _outcome(event: dict[str, Any]) -> Outcome:
    takes = tuple(TakeFile(**take) for take in event.get("takes", ()))
    return Outcome(event["event"], takes, event.get("code", ""), event.get("message", ""))
