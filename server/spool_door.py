"""The spool door: request files are picked up twenty times a second and answered in files.

Idle, a look costs one `stat` of the folder: only where something changed there (and every two
seconds, for network drives) its names are read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from pathlib import Path
from typing import Protocol

from engine.errors import RequestError
from server import spool, spool_files
from server.osc import Message
from server.transports import Peer

log = logging.getLogger("retake.server")

POLL_S = 0.05
#: File systems count time in steps, FAT in steps of two seconds: what changed that lately is looked
#: at again.
COARSE_TIME_S = 2.0
#: Looking may take a twentieth of the time at most, however many files lie there.
BUSY_SHARE = 0.05
REQUESTS_A_LOOK = 200
#: Nobody waits for the answer to an older request: it was left while no server ran.
STALE_S = 3600.0
MAX_IGNORED = 1000
TAKEN_SUFFIX = ".taken"


class App(Protocol):
    """What this door needs of the application."""

    async def receive_trusted(self, peer: Peer, message: Message) -> None:
        """Handle one message that needs no token; never raises."""

    def refuse_file(self, name: str, code: str, message: str) -> None:
        """Say in a name's status file that its request wasn't taken."""


class SpoolPeer:
    """Whoever wrote a request file. Events of jobs stand in status files whoever asked."""

    is_stream = False

    def __init__(self, app: App, folder: Path, request: str, client: str) -> None:
        self._app, self._folder, self._request = app, folder, request
        self.name = client
        self._lines: list[tuple[str, str]] = []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpoolPeer) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def send(self, message: Message) -> None:
        """Write what has no place in a job's status file."""
        if message.address == "/retake/error":
            _, code, text, _ = message.args
            self._app.refuse_file(self._request, str(code), str(text))
        elif message.address in spool.ANSWERED_APART:
            self._lines += spool.answer_lines(message)
            if self._lines[-1][0] == "end":
                self._answer()

    def _answer(self) -> None:
        text, self._lines = spool.write_lines(self._lines), []
        with contextlib.suppress(OSError):
            spool_files.replace_text(spool.answer_path(self._folder, self._request), text)

    def close(self) -> None:
        """Nothing to close."""


class SpoolDoor:
    """Looks for request files in one folder.

    Parameters
    ----------
    app : App
    folder : Path
    """

    def __init__(self, app: App, folder: Path) -> None:
        self._app, self._folder = app, folder
        self._task: asyncio.Task[None] | None = None
        self._ignored: set[tuple[str, int, int]] = set()  # what can't be removed, answered once
        self._looked_s = 0.0

    async def open(self) -> None:
        """Begin to look; what a killed server had set aside is taken up again."""
        for taken in self._folder.glob(f".*{spool.REQUEST_SUFFIX}{TAKEN_SUFFIX}"):
            path = taken.with_name(taken.name[1:].removesuffix(TAKEN_SUFFIX))
            if taken.is_file() and not path.exists():
                taken.rename(path)
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Look no more."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            began_s = time.monotonic()
            try:
                if self._has_changed():
                    await self.look()
            except OSError as error:  # unmounted, or its mode changed: it may come back
                log.warning("the spool can't be read: %s", error)
                await asyncio.sleep(COARSE_TIME_S)
            took_s = time.monotonic() - began_s
            await asyncio.sleep(max(POLL_S, took_s / BUSY_SHARE))

    def _has_changed(self) -> bool:
        age_s = time.time() - self._folder.stat().st_mtime
        # A folder from the future has a clock of its own; it is looked at each time.
        is_fresh = age_s < COARSE_TIME_S
        return is_fresh or time.monotonic() - self._looked_s >= COARSE_TIME_S

    async def look(self) -> None:
        """Take up every request that lies there, the oldest first."""
        self._looked_s = time.monotonic()
        for name in self._waiting()[:REQUESTS_A_LOOK]:
            try:
                await self._take_up(self._folder / name)
            except OSError as error:  # one file's trouble is not the others'
                log.warning("spool: %r can't be read: %s", name[:80], error)
                self._ignore(self._folder / name)
            await asyncio.sleep(0)

    def _waiting(self) -> list[str]:
        found: list[tuple[int, str]] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(spool.REQUEST_SUFFIX) and not entry.name.startswith("."):
                    with contextlib.suppress(OSError):
                        stat = entry.stat(follow_symlinks=False)
                        if (entry.name, stat.st_ino, stat.st_mtime_ns) not in self._ignored:
                            found.append((stat.st_mtime_ns, entry.name))
        return [name for _, name in sorted(found)]

    async def _take_up(self, path: Path) -> None:
        name = path.name.removesuffix(spool.REQUEST_SUFFIX)
        taken = _set_aside(path)
        try:
            request = spool.parse_request(name, _read(taken))
        except FileNotFoundError:
            return
        except RequestError as error:
            log.warning("spool: %r is refused: %s", path.name[:80], error.message)
            self._app.refuse_file(name, error.code, error.message)
        else:
            peer = SpoolPeer(self._app, self._folder, name, request.client)
            await self._app.receive_trusted(peer, request.message)
        # Only now: a server killed before this finds the request again, and submit twice is once.
        if not spool_files.remove(taken):
            self._ignore(taken)

    def _ignore(self, path: Path) -> None:
        log.warning("spool: %r can't be removed; it is answered once", path.name[:80])
        if len(self._ignored) >= MAX_IGNORED:
            self._ignored.clear()
        with contextlib.suppress(OSError):
            stat = path.lstat()
            self._ignored.add((path.name, stat.st_ino, stat.st_mtime_ns))


def _set_aside(path: Path) -> Path:
    """The request under a name of the server's own, so that the next may take its place."""
    taken = path.with_name(f".{path.name}{TAKEN_SUFFIX}")
    try:
        os.replace(path, taken)
    except OSError:
        return path
    return taken


def _read(path: Path) -> bytes:
    data = spool_files.read_request(path)
    age_s = time.time() - path.lstat().st_mtime
    if age_s > STALE_S:
        raise RequestError(
            "bad-request", f"the request waited {age_s / 3600:.1f} h without a server; ask anew"
        )
    return data
