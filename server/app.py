"""The server itself: answers requests, each with what the protocol has for it."""

from __future__ import annotations

import asyncio
import hmac
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import FaultError, RequestError, RetakeError
from server import audio, catalogue, events, spool, spool_files
from server.around import parse_around
from server.audience import Audience, Peer
from server.executor import Executor
from server.jobs import Job, Jobs, State
from server.messages import NAME, PROTOCOL_VERSION, build, parse
from server.on_disk import OnDisk
from server.osc import Message, Value
from server.runner import Runner
from server.seldom import Seldom
from server.status_files import StatusFiles
from server.submission import MAX_CHARACTERS, Submission

log = logging.getLogger("retake.server")

Values = dict[str, Any]
Handler = Callable[[Peer, Values, tuple[Value, ...]], Awaitable[None]]


class App:
    """Everything between the doors and the executor.

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
        self._audience, self._files = Audience(), StatusFiles(folder)
        self._on_disk = OnDisk(jobs.sync)
        self.runner = Runner(jobs, self._on_disk, executor, folder, self._audience, self._files)
        self._uploads: dict[str, asyncio.Future[None]] = {}  # those not on disk yet
        self._strays: set[str] = set()  # jobs of an unknown past whose takes lie in the spool
        self._refusals = Seldom(log)
        self._handlers: dict[str, Handler] = {
            "/retake/hello": self._hello,
            "/retake/submit": self._submit,
            "/retake/cancel": self._cancel,
            "/retake/status": self._status,
            "/retake/list": self._list,
            "/retake/watch": self._watch,
            "/retake/narrow": self._narrow,
            "/retake/put": self._put,
            "/retake/get": self._get,
        }

    async def open(self) -> None:
        """Look at what lies in the spool from before."""
        names = await asyncio.to_thread(spool_files.names_with_takes, self._spool)
        self._strays = {name for name in names if not self._jobs.find(name)}

    async def receive(self, peer: Peer, message: Message) -> bool:
        """Handle one message of a peer, its token first; whether that was right. Never raises."""
        if not self.is_known(message):
            self._refusals.warning(
                "%s: %r without the right token", peer.name, message.address[:60]
            )
            peer.close()
            return False
        bare = replace(message, tags=message.tags[1:], args=message.args[1:])
        await self.receive_trusted(peer, bare)
        return True

    async def receive_trusted(self, peer: Peer, bare: Message) -> None:
        """Handle one message that carries no token, of a peer who needs none. Never raises."""
        try:
            await self._handle(peer, bare)
        except RetakeError as error:
            self._answer_error(peer, bare, error)
        except sqlite3.Error as error:
            self.runner.mend(error)
            self._answer_error(peer, bare, _store_fault(error))
        except Exception as error:
            log.exception("%s from %s failed", bare.address, peer.name)
            fault = FaultError("internal", f"{type(error).__name__}; the log says more")
            self._answer_error(peer, bare, fault)

    def is_known(self, message: Message) -> bool:
        """Whether a message's first argument is the token."""
        token = message.args[0] if message.args else None
        return isinstance(token, str) and hmac.compare_digest(token.encode(), self._token.encode())

    def forget(self, peer: Peer) -> None:
        """A peer is gone: nobody to tell anything."""
        self._audience.forget(peer)

    async def close(self) -> None:
        """Until everything that was written is on disk."""
        await self._files.written()
        await asyncio.gather(*self._uploads.values(), return_exceptions=True)
        await self._on_disk.close()

    def refuse_file(self, name: str, code: str, message: str) -> None:
        """Say in a status file that a request wasn't taken; a job of that name keeps its state."""
        try:
            job = self._jobs.find(name) if NAME.fullmatch(name) else None
        except sqlite3.Error:
            job = None
        if job is None:
            self._files.refuse_name(name, code, message)
        else:
            self._files.refuse(job, self.runner.progress_of(name), code, message)

    async def written(self) -> None:
        """Until everything said in status files stands there."""
        await self._files.written()

    async def _handle(self, peer: Peer, bare: Message) -> None:
        route, values, rest = parse(bare)
        if route.stream_only and not peer.is_stream:
            raise RequestError(
                "bad-request", f"{route.address} carries audio; send it over the stream door"
            )
        handle = self._handlers[route.address]
        try:
            await handle(peer, values, rest)
        except sqlite3.Error as error:
            if not self.runner.mend(error):
                raise
            await handle(peer, values, rest)

    def _answer_error(self, peer: Peer, message: Message, error: RetakeError) -> None:
        subject = message.args[0] if message.args else ""
        named = subject if isinstance(subject, str) and len(subject) <= 64 else ""
        address = message.address[:64]
        self._say(peer, "/retake/error", address, error.code, error.message, named)

    def _say(self, peer: Peer, address: str, *values: Value, more: tuple[str, ...] = ()) -> None:
        self._audience.send(peer, build(address, *values, more=more))

    async def _hello(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        log.info("%s is %s", peer.name, values["client"][:60])
        self._audience.introduce(peer, values["client"])
        device, model = self._executor.device, self._executor.model
        self._say(
            *(peer, "/retake/hello", self._version, PROTOCOL_VERSION),
            *(model, device, str(self._spool)),
        )

    async def _submit(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        name, submission = values["job"], parse_around(rest, self._jobs, values["job"])
        self._check_place(name, submission)
        text, is_front = submission.to_json(), submission.priority == "front"
        if len(text) > MAX_CHARACTERS:
            raise RequestError(
                "too-long", f"the request has {len(text)} characters; at most {MAX_CHARACTERS}"
            )
        job, is_new = self._jobs.submit(name, self._audience.client_of(peer), text, is_front)
        if not job.is_ended:
            self._audience.listen(peer, name)
        if is_new:
            log.info("job %s: %s queued by %s", name, submission.edit.name, peer.name)
            self.runner.wake()  # it may begin while the disk is waited for
        present = self._present_state(job)
        self._audience.hold(peer, name)
        try:
            await self._keep(job, submission, is_new)
        except BaseException:
            self._audience.drop(peer, name)
            raise
        for message in present:
            self._audience.send(peer, message)
        self._audience.release(peer, name)
        # A new job's file may still tell of a request under its name that was refused.
        tell = self._files.write if is_new else self._files.keep
        tell(self._jobs.get(name), self.runner.progress_of(name))

    def _present_state(self, job: Job) -> list[Message]:
        if job.is_ended:
            return events.ending(job)
        if job.state == State.QUEUED:
            return [build("/retake/queued", job.name, self._jobs.position(job.name))]
        return [build("/retake/started", job.name)]

    def _check_place(self, name: str, submission: Submission) -> None:
        """That a new job's clip and room for its takes are there."""
        if self._jobs.find(name):
            return
        upload = submission.upload
        if upload and not spool.upload_path(self._spool, upload).exists():
            raise RequestError("no-such-file", f"no upload is called {upload!r}; put it first")
        spool_files.check_room(self._spool, 0, self._spare_bytes)
        # Only among these: a look at the spool may have to wait for the disk.
        if name in self._strays and spool_files.take_paths(self._spool, name):
            raise RequestError(
                "conflict", f"takes of an older job {name!r} lie in the spool; choose a new name"
            )

    async def _keep(self, job: Job, submission: Submission, is_new: bool) -> None:
        """Until a job and what it is about outlive a power cut; else a new one is no job."""
        if job.is_ended:
            return
        try:
            if submission.upload in self._uploads:
                await asyncio.shield(self._uploads[submission.upload])
            await self._on_disk.wait()
        except OSError as error:
            known = self._jobs.get(job.name)
            if is_new and not known.is_ended:
                self.runner.cancel(known)
            raise FaultError(
                "out-of-disk", f"the job can't be kept on disk: {error.strerror or error}"
            ) from error

    async def _cancel(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        job = self._jobs.get(values["job"])
        if job.is_ended:
            for message in events.ending(job):
                self._audience.send(peer, message)
            return
        self._audience.listen(peer, job.name)
        self.runner.cancel(job)

    async def _status(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        job = self._jobs.get(values["job"])
        progress = self.runner.progress_of(job.name)
        fraction, stage, _ = progress
        if job.is_ended:
            fraction, stage = float(job.state == State.DONE), job.message
        self._say(peer, "/retake/status", job.name, job.state.value, fraction, stage)
        self._files.write(job, progress)  # over what a power cut may have left there

    async def _list(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        kind = values["kind"]
        items = catalogue.items(kind, self._jobs)
        for item in items:
            self._say(peer, "/retake/item", kind, item.name, item.description, more=item.more)
        self._say(peer, "/retake/end", kind, len(items))

    async def _watch(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        self._audience.watch(peer, bool(values["on"]))
        self._say(peer, "/retake/watch", values["on"])

    async def _narrow(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        self._audience.narrow(peer, bool(values["on"]))
        self._say(peer, "/retake/narrow", values["on"])

    async def _put(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        name = values["upload"]
        path = spool.upload_path(self._spool, name)
        spool_files.check_room(self._spool, len(values["audio"]), self._spare_bytes)
        n_frames = await asyncio.to_thread(
            audio.keep, path, values["audio"], values["rate"], values["channels"]
        )
        # Bringing it to the disk takes longer than all the rest; submit waits for it.
        self._uploads[name] = asyncio.ensure_future(asyncio.to_thread(audio.sync, path))
        self._uploads[name].add_done_callback(lambda done: self._note_kept(name, done))
        self._say(peer, "/retake/put", name, n_frames)

    def _note_kept(self, name: str, done: asyncio.Future[None]) -> None:
        if not done.cancelled() and done.exception():
            log.warning("upload %s can't be brought to the disk: %s", name, done.exception())
        elif self._uploads.get(name) is done:
            del self._uploads[name]

    async def _get(self, peer: Peer, values: Values, rest: tuple[Value, ...]) -> None:
        job, index = self._jobs.get(values["job"]), values["index"]
        if not index <= len(job.takes):
            raise RequestError(
                "unknown-job", f"job {job.name!r} has {len(job.takes)} takes, no take {index}"
            )
        rate, channels, data = await asyncio.to_thread(audio.fetch, Path(job.takes[index - 1].path))
        self._say(peer, "/retake/audio", job.name, index, rate, channels, data)


def _store_fault(error: sqlite3.Error) -> FaultError:
    """What the caller is told where the store of jobs doesn't answer."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return FaultError("out-of-disk", "the disk is full: the job could not be kept; make room")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return FaultError(
            "internal", "another program holds the store of jobs locked; ask again in a moment"
        )
    if isinstance(error, sqlite3.ProgrammingError):  # it is closed: see Store.mend
        return FaultError(
            "internal",
            "the store of jobs is damaged and no new one can be begun, the log says why; ask again",
        )
    return FaultError("internal", f"the store of jobs doesn't answer: {error}")
