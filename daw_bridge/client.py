"""A small synchronous client of a Retake server: standard library only.

>>> client = Client.connect()
>>> job = client.submit(edit="transfer", path="/clips/door.wav", prompt="a creaking gate")
>>> takes = client.wait(job)

Control goes over UDP unless another door is asked for; audio always goes over a stream. Every
request may be sent twice without harm, so a lost datagram costs a moment and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from daw_bridge.wire import (
    ServerError,
    ServerNotRunning,
    StreamDoor,
    UdpDoor,
    pack,
    read_conf,
    serve_command,
    state_folder,
    unpack,
)

PROTOCOL_VERSION = 1
RESEND_S = 0.5
ANSWER_S = 5.0
AUDIO_S = 60.0
#: A job stops at its next step; on a slow machine that one, or a model that loads, may take long.
CANCEL_S = 120.0
#: Silence after which a job is asked about again; a running one is heard four times a second.
QUIET_S = 2.0
#: … and after which, with nothing said to that either, the server is given up.
GONE_S = 30.0
KEPT_EVENTS = 1000
LAST_EVENTS = ("/retake/done", "/retake/fail", "/retake/cancelled")
JOB_EVENTS = ("/retake/started", "/retake/progress", "/retake/take", *LAST_EVENTS)

Message = tuple[str, tuple[Any, ...]]


class JobCancelled(Exception):  # noqa: N818
    """The job waited for was cancelled."""


@dataclass(frozen=True)
class Hello:
    """Who answered."""

    version: str
    protocol: int
    model: str
    device: str
    spool: str


@dataclass(frozen=True)
class Event:
    """One thing said about a job: the address's last word, and what followed the job's name."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class TakeFile:
    """A take on the server's disk. `score` is NaN where the model can't tell."""

    index: int
    path: str
    frames: int
    rate: int
    channels: int
    seed: int
    score: float


class Client:
    """A conversation with one server.

    Parameters
    ----------
    conf : mapping
        What server.conf says.
    door : str
        "udp", "tcp" or "unix": where requests and events go.
    name : str
        Who is asking, for the server's log.
    """

    def __init__(
        self, conf: Mapping[str, str], door: str = "udp", name: str = "retake-client"
    ) -> None:
        self._conf, self._name = conf, name
        self._control: UdpDoor | StreamDoor = (
            UdpDoor(int(conf["udp"])) if door == "udp" else StreamDoor.open(conf, door)
        )
        self._stream: StreamDoor | None = None if door == "udp" else _as_stream(self._control)
        self._inbox: dict[str, deque[Event]] = {}
        self._submitted: dict[str, bytes] = {}
        self._is_watching = False

    @classmethod
    def connect(
        cls,
        state_dir: str | os.PathLike[str] | None = None,
        door: str = "udp",
        name: str = "retake-client",
    ) -> Client:
        """A client of the running server, once that has answered hello.

        Raises
        ------
        ServerNotRunning
            No server.conf, or nobody answers behind it (a server that was killed).
        """
        folder = Path(state_dir) if state_dir else state_folder()
        conf = read_conf(folder)
        try:
            client = cls(conf, door, name)
            try:
                client.hello()
            except BaseException:
                client.close()
                raise
        except OSError as error:  # TimeoutError among them
            raise ServerNotRunning(
                f"{folder / 'server.conf'} names a server (pid {conf.get('pid')}) that doesn't "
                f"answer: {error}; start one with: {serve_command()}"
            ) from None
        return client

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up. Jobs go on."""
        if self._is_watching and self._control.resends:  # nobody sees that a datagram's sender left
            with contextlib.suppress(OSError):
                self._control.send(self._pack("/retake/watch", 0))
        self._control.close()
        if self._stream:
            self._stream.close()

    def hello(self) -> Hello:
        """Who answers, with which model."""
        request = self._pack("/retake/hello", self._name, PROTOCOL_VERSION)
        _, values = self._ask(request, "/retake/hello")
        return Hello(*values)

    def submit(self, job: str | None = None, **keys: Any) -> str:
        """Queue an edit and return its job's name.

        Parameters
        ----------
        job : str, optional
            A name for it; a random one if not given. The same name and keys are the same job.
        **keys
            The keys of submit: `edit`, `path` or `upload`, `start`, `frames`, `prompt`, …; `hole`
            may be a list. None is left out.

        Raises
        ------
        ServerError
            With the code the server refused it with.
        """
        name = job or f"job-{uuid.uuid4().hex[:12]}"
        pairs: list[Any] = []
        for key, value in keys.items():
            for one in value if isinstance(value, (list, tuple)) else [value]:
                pairs += [] if one is None else [key, one]
        request = self._pack("/retake/submit", name, *pairs)
        first = ("/retake/queued", "/retake/started", "/retake/take", *LAST_EVENTS)
        address, values = self._ask(request, *first, subject=name)
        self._submitted[name] = request
        self._box(name).append(_event(address, values))
        return name

    def events(self, job: str) -> Iterator[Event]:
        """What is said about a job, until it has ended; of another client's, from now on.

        Blocks between events.

        Raises
        ------
        ServerNotRunning
            The server is gone, or another one by now.
        """
        inbox = self._box(job)
        if job not in self._submitted:
            self.watch()
            self._ask_again(job)
        heard_s = asked_s = time.monotonic()
        while True:
            while inbox:
                event = inbox.popleft()
                yield event
                if f"/retake/{event.name}" in LAST_EVENTS:
                    return
                heard_s = asked_s = time.monotonic()  # however long that was looked at
            message = self._receive(QUIET_S)
            if message:
                self._sort(*message)
            now_s = time.monotonic()
            if not inbox and now_s - heard_s > GONE_S:
                raise ServerNotRunning(f"the server said nothing for {GONE_S:g} s; connect again")
            if not inbox and now_s - asked_s > QUIET_S:
                asked_s = now_s
                self._ask_again(job)

    def all_events(self) -> Iterator[tuple[str, Event]]:
        """What is said about every job from now on, each event with its job's name; no end."""
        self.watch()
        for job in list(self._inbox):
            while self._inbox[job]:
                yield job, self._inbox[job].popleft()
        while True:
            message = self._receive(QUIET_S)
            if message and message[0] in JOB_EVENTS and message[1]:
                yield message[1][0], _event(*message)

    def wait(
        self, job: str, progress: Callable[[float, str, float], None] | None = None
    ) -> list[TakeFile]:
        """The job's takes, best first, once they are there.

        Parameters
        ----------
        job : str
        progress : callable, optional
            Called with fraction, stage and seconds left (-1 while unknown).

        Raises
        ------
        ServerError
            The job failed.
        JobCancelled
            Somebody cancelled it.
        """
        takes: dict[int, TakeFile] = {}
        for event in self.events(job):
            if event.name == "progress" and progress:
                progress(*event.values)
            elif event.name == "take":
                take = TakeFile(*event.values)
                takes[take.index] = take
            elif event.name == "fail":
                raise ServerError(*event.values)
            elif event.name == "cancelled":
                raise JobCancelled(job)
            elif event.name == "done" and len(takes) < event.values[0]:
                return self._fetch_ending(job)  # a take's datagram was lost
        return [takes[index] for index in sorted(takes)]

    def cancel(self, job: str) -> str:
        """Stop a job; how it ended: "cancelled", or "done" or "fail" where it was faster."""
        request = self._pack("/retake/cancel", job)
        address, values = self._ask(request, *LAST_EVENTS, subject=job, timeout_s=CANCEL_S)
        self._box(job).append(_event(address, values))
        return address.rsplit("/", 1)[1]

    def status(self, job: str) -> tuple[str, float, str]:
        """A job's state, fraction and message."""
        _, values = self._ask(self._pack("/retake/status", job), "/retake/status", subject=job)
        return values[1], values[2], values[3]

    def items(self, kind: str) -> list[tuple[str, ...]]:
        """The entries of edits, presets, models or jobs: name, description, what else is said."""
        for _ in range(3):
            entries: list[tuple[str, ...]] = []
            self._control.send(self._pack("/retake/list", kind))
            while message := self._receive(ANSWER_S):
                address, values = message
                _raise_error(address, values, "/retake/list", kind)
                if address == "/retake/item" and values[0] == kind:
                    entries.append(values[1:])
                elif address == "/retake/end" and values[0] == kind:
                    if values[1] == len(entries):
                        return entries
                    break  # a datagram was lost: ask again
                else:
                    self._sort(address, values)
        raise TimeoutError(f"the list of {kind} didn't come whole")

    def watch(self, on: bool = True) -> None:
        """Hear every job's events, or no longer."""
        self._is_watching = on
        self._ask(self._pack("/retake/watch", int(on)), "/retake/watch")

    def put(self, audio: bytes, rate: int, channels: int, upload: str | None = None) -> str:
        """Hand over float32 little-endian interleaved audio; gives its name for submit."""
        name = upload or f"upload-{uuid.uuid4().hex[:12]}"
        request = self._pack("/retake/put", name, rate, channels, audio)
        self._ask(
            request, "/retake/put", subject=name, over=self._audio_stream(), timeout_s=AUDIO_S
        )
        return name

    def get(self, job: str, index: int = 1) -> tuple[int, int, bytes]:
        """A take's rate, channels and float32 little-endian interleaved audio."""
        request = self._pack("/retake/get", job, index)
        stream = self._audio_stream()
        _, values = self._ask(request, "/retake/audio", subject=job, over=stream, timeout_s=AUDIO_S)
        return values[2], values[3], values[4]

    def _audio_stream(self) -> StreamDoor:
        if self._stream is None:
            self._stream = StreamDoor.open(self._conf, "tcp")
        return self._stream

    def _pack(self, address: str, *values: Any) -> bytes:
        return pack(address, self._conf["token"], *values)

    def _ask(
        self,
        request: bytes,
        *answers: str,
        subject: str = "",
        over: UdpDoor | StreamDoor | None = None,
        timeout_s: float = ANSWER_S,
    ) -> Message:
        """Send a request until one of its answers comes; other messages go where they belong."""
        door = over or self._control
        deadline = time.monotonic() + timeout_s
        asked = request[: request.index(0)].decode()
        if door.resends:  # what was asked twice may have been answered twice
            while (late := self._receive(0.0, door)) is not None:
                self._sort(*late)
        while time.monotonic() < deadline:
            door.send(request)
            resend_at = min(time.monotonic() + RESEND_S, deadline) if door.resends else deadline
            while (left_s := resend_at - time.monotonic()) > 0:
                message = self._receive(left_s, door)
                if message is None:
                    continue
                address, values = message
                _raise_error(address, values, asked, subject)
                if address in answers and (not subject or values[0] == subject):
                    return message
                self._sort(address, values)
        raise TimeoutError(f"no answer in {timeout_s:g} s")

    def _receive(
        self, timeout_s: float, door: UdpDoor | StreamDoor | None = None
    ) -> Message | None:
        packet = (door or self._control).receive(timeout_s)
        return None if packet is None else unpack(packet)

    def _sort(self, address: str, values: tuple[Any, ...]) -> None:
        """Lay an event into its job's inbox; late answers to nobody are dropped."""
        if address in ("/retake/queued", *JOB_EVENTS) and values:
            self._box(values[0]).append(_event(address, values))

    def _box(self, job: str) -> deque[Event]:
        # Bounded: a watcher may hear of jobs it never asks about.
        return self._inbox.setdefault(job, deque(maxlen=KEPT_EVENTS))

    def _ask_again(self, job: str) -> None:
        """After silence: submit answers with a job's present state, and listens again."""
        if job in self._submitted:
            self._control.send(self._submitted[job])
        elif self.status(job)[0] in ("done", "failed", "cancelled"):
            self.cancel(job)  # an ended job answers with how it ended

    def _fetch_ending(self, job: str) -> list[TakeFile]:
        """Every take of a job that is done, asked for over the stream, where nothing is lost."""
        with Client(self._conf, "tcp", self._name) as other:
            return other.wait(job)


def _as_stream(door: UdpDoor | StreamDoor) -> StreamDoor:
    assert isinstance(door, StreamDoor)
    return door


def _event(address: str, values: tuple[Any, ...]) -> Event:
    return Event(address.rsplit("/", 1)[1], values[1:])


def _raise_error(address: str, values: tuple[Any, ...], asked: str, subject: str) -> None:
    """A ServerError where one is said of what was asked."""
    # The server says the first characters of a long address, and none where it could read none.
    is_error = address == "/retake/error" and asked.startswith(values[0])
    if is_error and (not subject or values[3] in (subject, "")):
        raise ServerError(values[1], values[2])
