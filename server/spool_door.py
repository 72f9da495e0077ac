"""The spool door: request files are picked up as they come and answered in files.

On Linux the system says which file came. Elsewhere the folder is looked at twenty times a second;
idle, a look costs one `stat`: only where something changed there (and every two seconds, for
network drives) its names are read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine.errors import RequestError
from server import spool, spool_files
from server.audience import Peer
from server.folder_watch import FolderWatch
from server.osc import Message
from server.seldom import Seldom

log = logging.getLogger("retake.server")

POLL_S = 0.05
#: File systems count time in steps, FAT in steps of two seconds: what changed that lately is looked
#: at again.
COARSE_TIME_S = 2.0
#: Reading the names may take a twentieth of the time at most, however many files lie there.
BUSY_SHARE = 0.05
REQUESTS_A_LOOK = 200
#: Nobody waits for the answer to an older request: it was left while no server ran.
STALE_S = 3600.0
MAX_IGNORED = 1000
TROUBLE_EVERY_S = 30.0
TAKEN_SUFFIX = ".taken"


class App(Protocol):
    """What this door needs of the application."""

    async def receive_trusted(self, peer: Peer, message: Message) -> None:
        """Handle one message that needs no token; never raises."""

    def refuse_file(self, name: str, code: str, message: str) -> None:
        """Say in a name's status file that its request wasn't taken."""

    async def written(self) -> None:
        """Until status files say what they are to say."""


class SpoolPeer:
    """Whoever wrote a request file. Events of jobs stand in status files whoever asked."""

    is_stream = False

    def __init__(self, app: App, folder: Path, request: str, client: str) -> None:
        self._app, self._folder, self._request = app, folder, request
        self.name = self.door = client  # each request says who asks
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


@dataclass(frozen=True)
class Letter:
    """A request file as it was found: its name, where it lies now, its bytes or what is wrong."""

    name: str
    path: Path
    data: bytes = b""
    error: RequestError | None = None


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
        self._watch = FolderWatch(folder, self._note_names)
        self._came: dict[str, None] = {}  # names the system told of, in order
        self._wake = asyncio.Event()
        self._complaints, self._trouble = Seldom(log), Seldom(log, TROUBLE_EVERY_S)
        self._looked_s = -COARSE_TIME_S

    async def open(self) -> None:
        """Begin to look; what a killed server had set aside is taken up again."""
        for taken in self._folder.glob(f".*{spool.REQUEST_SUFFIX}{TAKEN_SUFFIX}"):
            path = taken.with_name(taken.name[1:].removesuffix(TAKEN_SUFFIX))
            if taken.is_file() and not path.exists():
                taken.rename(path)
        self._watch.open()
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Look no more."""
        self._watch.close()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _note_names(self, names: list[str]) -> None:
        if not names:
            self._looked_s = -COARSE_TIME_S
        self._came |= dict.fromkeys(filter(_is_request, names))
        if self._came or not names:
            self._wake.set()

    async def _work(self) -> None:
        while True:
            pause_s = COARSE_TIME_S if self._watch.is_watching else POLL_S
            try:
                began_s = time.monotonic()
                names = self._next_names()
                pause_s = max(pause_s, (time.monotonic() - began_s) / BUSY_SHARE)
                if names:
                    await self._take_up(names)
            except OSError as error:  # unmounted, or its mode changed: it may come back
                self._trouble.warning("the spool can't be read: %s", error)
            except Exception:  # the door stays open
                log.exception("the spool door stumbled")
            if not self._came:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause_s)

    def _next_names(self) -> list[str]:
        """The requests to take up now; what is left over stays noted."""
        found = self._waiting() if self._has_changed() else []
        names = list(dict.fromkeys([*self._came, *found]))
        self._came = dict.fromkeys(names[REQUESTS_A_LOOK:])
        return names[:REQUESTS_A_LOOK]

    def _has_changed(self) -> bool:
        is_due = time.monotonic() - self._looked_s >= COARSE_TIME_S
        if self._watch.is_watching:
            return is_due
        age_s = time.time() - self._folder.stat().st_mtime
        # A folder from the future has a clock of its own; it is looked at each time.
        return is_due or age_s < COARSE_TIME_S

    async def _take_up(self, names: list[str]) -> None:
        """Answer requests, each client's in the order they came."""
        letters = await asyncio.to_thread(_open_all, self._folder, names)
        # Side by side: the disk is waited for once, and not once for each.
        await asyncio.gather(*map(self._answer, letters))
        await self._app.written()
        # Only now: a server killed before this finds the request again, and submit twice is once.
        for letter in await asyncio.to_thread(_remove_all, letters):
            self._ignore(letter.path)

    async def _answer(self, letter: Letter) -> None:
        try:
            if letter.error:
                raise letter.error
            request = spool.parse_request(letter.name, letter.data)
        except RequestError as error:
            self._complaints.warning("spool: %r is refused: %s", letter.name[:80], error.message)
            self._app.refuse_file(letter.name, error.code, error.message)
        else:
            peer = SpoolPeer(self._app, self._folder, letter.name, request.client)
            await self._app.receive_trusted(peer, request.message)

    def _waiting(self) -> list[str]:
        """Every request that lies there, the oldest first."""
        is_first, self._looked_s = self._looked_s < 0, time.monotonic()
        found: list[tuple[int, str]] = []
        for name in filter(_is_request, os.listdir(self._folder)):
            with contextlib.suppress(OSError):
                stat = (self._folder / name).lstat()
                if not is_first and self._is_being_written(stat):
                    continue
                if (name, stat.st_ino, stat.st_mtime_ns) not in self._ignored:
                    found.append((stat.st_mtime_ns, name))
        return [name for _, name in sorted(found)]

    def _is_being_written(self, stat: os.stat_result) -> bool:
        """Whether a host that can't rename (Nyquist) has opened the file and not written it yet."""
        is_young = 0 <= time.time() - stat.st_mtime < COARSE_TIME_S
        # Where the system tells of each file that is closed, it will of this one.
        return is_young and (self._watch.is_watching or not stat.st_size)

    def _ignore(self, path: Path) -> None:
        self._complaints.warning("spool: %r can't be removed; it is answered once", path.name[:80])
        if len(self._ignored) >= MAX_IGNORED:
            self._ignored.clear()
        with contextlib.suppress(OSError):
            stat = path.lstat()
            self._ignored.add((path.name, stat.st_ino, stat.st_mtime_ns))


def _is_request(name: str) -> bool:
    return name.endswith(spool.REQUEST_SUFFIX) and not name.startswith(".")


def _open_all(folder: Path, names: list[str]) -> list[Letter]:
    """Set requests aside and read them; what is gone by now is left out."""
    letters = []
    for name in names:
        bare, path = name.removesuffix(spool.REQUEST_SUFFIX), _set_aside(folder / name)
        try:
            letters.append(Letter(bare, path, _read(path)))
        except FileNotFoundError:
            continue
        except RequestError as error:
            letters.append(Letter(bare, path, error=error))
        except OSError as error:  # one file's trouble is not the others'
            wrong = f"the request can't be read: {error.strerror or error}; write it anew"
            letters.append(Letter(bare, path, error=RequestError("bad-request", wrong)))
    return letters


def _remove_all(letters: list[Letter]) -> list[Letter]:
    """Take requests away; those that stay."""
    return [letter for letter in letters if not spool_files.remove(letter.path)]


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
