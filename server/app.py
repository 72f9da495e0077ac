"""The server itself: answers requests, keeps jobs moving, tells clients what happens."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import FaultError, RequestError, RetakeError
from server import audio, catalogue, events, spool, spool_files
from server.jobs import Job, Jobs, State
from server.messages import NAME, PROTOCOL_VERSION, build, parse
from server.osc import Message, Value
from server.submission import Submission, parse_pairs
from server.supervisor import Executor, Outcome
from server.transports import Peer

log = logging.getLogger("retake.server")

PROGRESS_EVERY_S = 0.25
MAX_WATCHERS = 64

Values = dict[str, Any]


class App:
    """Everything between the doors and the worker.

    Parameters
    ----------
    jobs : Jobs
    executor : Executor
    folder : Path
        The spool.
    token : str
    version : str
        Retake's, for hello.
    spare_bytes : int
        What must stay free on the spool's disk for a job to be taken.
    """

    def __init__(
        self,
        jobs: Jobs,
        executor: Executor,
        folder: Path,
        token: str,
        version: str,
        spare_bytes: int = 0,
    ) -> None:
        self._jobs, self._executor, self._spool = jobs, executor, folder
        self._token, self._version, self._spare_bytes = token, version, spare_bytes
        self._listeners: dict[str, set[Peer]] = {}
        self._refusals: dict[str, tuple[str, str]] = {}  # of requests under a live job's name
        self._watchers: dict[Peer, None] = {}  # in the order they came
        self._wake = asyncio.Event()
        self._stopping = False
        self._running = ""
        self._progress = (0.0, "", -1.0)  # of the running job: fraction, stage, seconds left
        self._began_s = self._moved_s = 0.0  # when the job began, and when its fraction left 0
        self._last_refusal_s = 0.0
        self._handlers: dict[str, Callable[[Peer, Values, tuple[Value, ...]], Awaitable[None]]] = {
            "/retake/hello": self._hello,
            "/retake/submit": self._submit,
            "/retake/cancel": self._cancel,
            "/retake/status": self._status,
            "/retake/list": self._list,
            "/retake/watch": self._watch,
            "/retake/put": self._put,
            "/retake/get": self._get,
        }

    # Requests

    async def receive(self, peer: Peer, message: Message) -> None:
        """Handle one message of a peer, its token first. Never raises."""
        if not self._is_known(message):
            self._refuse(peer, message)
            return
        bare = replace(message, tags=message.tags[1:], args=message.args[1:])
        await self.receive_trusted(peer, bare)

    async def receive_trusted(self, peer: Peer, bare: Message) -> None:
        """Handle one message that carries no token, of a peer who needs none. Never raises."""
        try:
            route, values, rest = parse(bare)
            if route.stream_only and not peer.is_stream:
                raise RequestError(
                    "bad-request", f"{route.address} carries audio; send it over the stream door"
                )
            await self._handlers[route.address](peer, values, rest)
        except RetakeError as error:
            self._answer_error(peer, bare, error)
        except Exception as error:
            log.exception("%s from %s failed", bare.address, peer.name)
            self._answer_error(peer, bare, _fault(error))

    def forget(self, peer: Peer) -> None:
        """A peer is gone: nobody to tell anything."""
        self._watchers.pop(peer, None)
        for listeners in self._listeners.values():
            listeners.discard(peer)

    def _is_known(self, message: Message) -> bool:
        token = message.args[0] if message.args else None
        return isinstance(token, str) and hmac.compare_digest(token.encode(), self._token.encode())

    def _refuse(self, peer: Peer, message: Message) -> None:
        now = time.monotonic()
        if now - self._last_refusal_s >= 1.0:
            self._last_refusal_s = now
            log.warning("%s: %r without the right token", peer.name, message.address[:60])
        peer.close()

    def _answer_error(self, peer: Peer, message: Message, error: RetakeError) -> None:
        subject = message.args[0] if message.args else ""
        named = subject if isinstance(subject, str) and len(subject) <= 64 else ""
        peer.send(build("/retake/error", message.address, error.code, error.message, named))

    async def _hello(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        log.info("%s is %s", peer.name, values["client"][:60])
        device, model = self._executor.device, self._executor.model
        peer.send(
            build("/retake/hello", self._version, PROTOCOL_VERSION, model, device, str(self._spool))
        )

    async def _submit(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        name, submission = values["job"], parse_pairs(rest)
        known = self._jobs.find(name)
        if submission.upload and not spool.upload_path(self._spool, submission.upload).exists():
            raise RequestError(
                "no-such-file", f"no upload is called {submission.upload!r}; put it first"
            )
        if known is None:
            spool_files.check_room(self._spool, 0, self._spare_bytes)
        if known is None and spool_files.take_paths(self._spool, name):
            raise RequestError(
                "conflict", f"takes of an older job {name!r} lie in the spool; choose a new name"
            )
        is_front = submission.priority == "front"
        job, is_new = self._jobs.submit(name, peer.name, submission.to_json(), is_front)
        if not job.is_ended:
            self._listeners.setdefault(name, set()).add(peer)
        for message in self._present_state(job):
            peer.send(message)
        if is_new:
            log.info("job %s: %s queued by %s", name, submission.edit.name, peer.name)
            self._wake.set()
        self._keep_status_file(job)

    def _present_state(self, job: Job) -> list[Message]:
        if job.is_ended:
            return events.ending(job)
        if job.state == State.QUEUED:
            return [build("/retake/queued", job.name, self._jobs.position(job.name))]
        return [build("/retake/started", job.name)]

    async def _cancel(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        job = self._jobs.get(values["job"])
        if job.is_ended:
            for message in events.ending(job):
                peer.send(message)
            return
        self._listeners.setdefault(job.name, set()).add(peer)
        job = self._jobs.move(job.name, "cancel")
        if job.is_ended:
            self._finish(job)
        else:
            self._executor.cancel(job.name)

    async def _status(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        job = self._jobs.get(values["job"])
        fraction, stage, _ = self._progress if job.name == self._running else (0.0, "", 0.0)
        if job.is_ended:
            fraction, stage = float(job.state == State.DONE), job.message
        peer.send(build("/retake/status", job.name, job.state.value, fraction, stage))
        self._keep_status_file(job)

    async def _list(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        kind = values["kind"]
        items = catalogue.items(kind, self._jobs)
        for item in items:
            peer.send(build("/retake/item", kind, item.name, item.description, more=item.more))
        peer.send(build("/retake/end", kind, len(items)))

    async def _watch(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        self._watchers.pop(peer, None)
        if values["on"]:
            self._watchers[peer] = None
        while len(self._watchers) > MAX_WATCHERS:
            self._watchers.pop(next(iter(self._watchers)))
        peer.send(build("/retake/watch", values["on"]))

    async def _put(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        path = spool.upload_path(self._spool, values["upload"])
        spool_files.check_room(self._spool, len(values["audio"]), self._spare_bytes)
        n_frames = await asyncio.to_thread(
            audio.keep, path, values["audio"], values["rate"], values["channels"]
        )
        peer.send(build("/retake/put", values["upload"], n_frames))

    async def _get(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        job, index = self._jobs.get(values["job"]), values["index"]
        if not index <= len(job.takes):
            raise RequestError(
                "unknown-job", f"job {job.name!r} has {len(job.takes)} takes, no take {index}"
            )
        rate, channels, data = await asyncio.to_thread(audio.fetch, Path(job.takes[index - 1].path))
        peer.send(build("/retake/audio", job.name, index, rate, channels, data))

    # Jobs

    async def work(self) -> None:
        """Run queued jobs one after the other until told to stop."""
        for job in self._jobs.recover():
            log.info("job %s was running when the server ended; now %s", job.name, job.state.value)
            self._write_status(job)
        while not self._stopping:
            job_or_none = self._jobs.next()
            if job_or_none is None:
                self._wake.clear()
                await self._wake.wait()
            else:
                await self._run(job_or_none)

    def summary(self) -> str:
        """How things stand, in one line."""
        n_queued = self._jobs.count_queued()
        waiting = f"{n_queued} waiting" if n_queued else "none waiting"
        if not self._running:
            return f"{self._executor.model} on {self._executor.device}: idle, {waiting}"
        fraction, stage, left_s = self._progress
        left = f", {left_s:.0f} s left" if left_s >= 0 else ""
        return f"{self._running}: {fraction:.0%} {stage}{left}; {waiting}"

    def stop(self) -> None:
        """Take no further job; `work` returns when the running one has ended."""
        self._stopping = True
        self._wake.set()

    async def _run(self, job: Job) -> None:
        job = self._jobs.move(job.name, "start")
        self._running = job.name
        self._began_s = self._moved_s = time.monotonic()
        self._progress = (0.0, "", -1.0)
        self._write_status(job)
        self._tell(job.name, build("/retake/started", job.name))
        running = asyncio.ensure_future(self._execute(job))
        try:
            await self._beat(job, running)
            self._settle(job.name, running.result())
        finally:
            running.cancel()
            self._running = ""

    async def _execute(self, job: Job) -> Outcome:
        try:
            submission = Submission.from_json(job.submission)
        except (RetakeError, KeyError, TypeError, ValueError) as error:
            message = f"the stored request is of another version of Retake: {error}"
            return Outcome("fail", code="internal", message=message)
        path = submission.path
        if submission.upload:
            path = str(spool.upload_path(self._spool, submission.upload))
        return await self._executor.run(job.name, job.submission, path, self._note_progress)

    async def _beat(self, job: Job, running: asyncio.Future[Outcome]) -> None:
        """Until the job ends, say how it stands at least four times a second."""
        while True:
            done, _ = await asyncio.wait({running}, timeout=PROGRESS_EVERY_S)
            if done:
                return
            self._note_progress(*self._progress[:2])
            self._write_status(job)

    def _note_progress(self, fraction: float, stage: str) -> None:
        if not fraction:
            self._moved_s = time.monotonic()  # loading a model says nothing about what follows
        left_s = events.seconds_left(fraction, time.monotonic() - self._moved_s)
        self._progress = (fraction, stage, left_s)
        self._tell(self._running, build("/retake/progress", self._running, *self._progress))

    def _settle(self, name: str, outcome: Outcome) -> None:
        """Write down what came of a job and tell it."""
        if outcome.what == "lost":
            job = self._jobs.lose(name, outcome.message)
        else:
            seconds = time.monotonic() - self._began_s
            facts = {"code": outcome.code, "message": outcome.message, "takes": outcome.takes}
            job = self._jobs.move(name, outcome.what, seconds=seconds, **facts)
        log.info("job %s: %s %s", name, job.state.value, job.message)
        if job.is_ended:
            self._finish(job)
        else:
            self._write_status(job)
            self._tell(name, build("/retake/queued", name, self._jobs.position(name)))

    def _finish(self, job: Job) -> None:
        self._write_status(job)
        for message in events.ending(job):
            self._tell(job.name, message)
        self._listeners.pop(job.name, None)
        self._refusals.pop(job.name, None)

    def _tell(self, job: str, message: Message) -> None:
        for peer in {*self._listeners.get(job, ()), *self._watchers}:
            peer.send(message)

    def _write_status(self, job: Job) -> None:
        progress = self._progress if job.name == self._running else (0.0, "", -1.0)
        if job.state == State.DONE:
            progress = (1.0, "", 0.0)
        refusal = self._refusals.get(job.name)
        self._write_file(job.name, spool.status_text(job, progress, refusal))

    def _keep_status_file(self, job: Job) -> None:
        """Write a job's status file where there is none yet, or no longer."""
        if not spool.status_path(self._spool, job.name).exists():
            self._write_status(job)

    def refuse_file(self, name: str, code: str, message: str) -> None:
        """Say in a status file that a request wasn't taken; a job of that name keeps its state."""
        job = self._jobs.find(name) if NAME.fullmatch(name) else None
        if job is None:
            self._write_file(name, spool.refusal_text(name, code, message))
            return
        self._refusals[name] = (code, message)
        self._write_status(job)
        if job.is_ended:
            del self._refusals[name]

    def _write_file(self, name: str, text: str) -> None:
        with contextlib.suppress(OSError):  # a full disk: the doors still tell
            spool_files.replace_text(spool.status_path(self._spool, name), text)


def _fault(error: Exception) -> FaultError:
    """What the caller is told of an error nobody foresaw."""
    if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
        return FaultError("out-of-disk", "the disk is full: the job could not be kept; make room")
    return FaultError("internal", f"{type(error).__name__}; the log says more")
