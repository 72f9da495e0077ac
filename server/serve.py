"""`retake serve`: the doors opened, the worker started, and everything closed again in order."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from engine.errors import FaultError
from server.app import App
from server.config import Config, OneServer, make_private_folder, new_token, write_private
from server.console import Console
from server.executor import Executor
from server.jobs import Jobs
from server.messages import PROTOCOL_VERSION
from server.ray_executor import RayExecutor, bridge_command
from server.retention import Keep, sweep
from server.spool_door import SpoolDoor
from server.supervisor import LocalExecutor, worker_command
from server.transports import StreamDoor, UdpDoor
from server.watchdog import Limits

log = logging.getLogger("retake.server")

#: Unix socket paths are short: 104 bytes on macOS, 108 on Linux, both with a closing NUL.
MAX_SOCKET_PATH_BYTES = 103
SWEEP_EVERY_S = 600.0
SHOW_EVERY_S = 0.5
#: The store's log is looked at so often, and written back after so many changes.
TIDY_EVERY_S, TIDY_AFTER_COMMITS = 2.0, 200
#: Files and sockets this process may have open; some systems begin with 256.
OPEN_FILES = 4096


def retake_version() -> str:
    """The installed version, or "dev" where Retake runs uninstalled."""
    try:
        return version("retake")
    except PackageNotFoundError:
        return "dev"


@dataclass(frozen=True)
class Settings:
    """What `retake serve` is told. Ports of 0 take any free one."""

    folder: Path
    udp_port: int = 9140
    tcp_port: int = 9141
    model: str = "pocket"
    device: str = "auto"
    ranker: str = ""  # a LAION CLAP that judges takes, with the local executor
    threads: int = 0  # of the CPU, with the local executor; 0: every core
    is_compiled: bool = False  # whether torch.compile makes the UNet's kernels, likewise
    command: Sequence[str] = field(default=())  # starts the worker; the real one if empty
    executor: str = "local"
    address: str = "auto"  # of a Ray cluster
    slots: int = 0  # of a Ray cluster; 0: as many as it has room for
    limits: Limits = field(default=Limits())
    keep: Keep = field(default=Keep())
    is_json_log: bool = False


def make_executor(settings: Settings) -> Executor:
    """The executor that settings ask for; it isn't started yet."""
    model, device, spool = settings.model, settings.device, settings.folder / "spool"
    if settings.executor == "ray":
        command = bridge_command(model, device, settings.address, settings.slots)
        return RayExecutor(settings.command or command, model, spool, settings.limits)
    command = worker_command(model, device, settings.ranker, settings.threads, settings.is_compiled)
    return LocalExecutor(settings.command or command, model, spool, settings.limits)


class Server:
    """A server in one state folder, from open to close."""

    def __init__(self, settings: Settings) -> None:
        self._folder, self._settings = settings.folder, settings
        self._spool = settings.folder / "spool"
        with _said_plainly(settings.folder):
            make_private_folder(settings.folder)
            self._lock = OneServer(settings.folder)
            self._lock.take()
        try:
            with _said_plainly(settings.folder):
                make_private_folder(self._spool)
                self._jobs = Jobs(settings.folder / "jobs.sqlite")
        except BaseException:
            self._lock.free()
            raise
        if self._jobs.moved_aside:
            log.error(
                "jobs.sqlite was damaged; it is kept as %s, %d jobs were saved, takes stay",
                *(self._jobs.moved_aside, self._jobs.n_saved),
            )
        self._executor = make_executor(settings)
        self._token = new_token()
        self.app = App(
            self._jobs,
            self._executor,
            self._spool,
            self._token,
            retake_version(),
            settings.limits.spare_bytes,
        )
        self._udp, self._tcp, self._unix = (
            UdpDoor(self.app),
            StreamDoor(self.app),
            StreamDoor(self.app),
        )
        self._files = SpoolDoor(self.app, self._spool)
        self._work: asyncio.Task[None] | None = None
        self._chores: list[asyncio.Task[None]] = []

    async def open(self) -> Config:
        """Start the worker, open the doors, write server.conf."""
        await self._executor.start()
        await _load_audio()
        await self.app.open()
        await self._udp.open(self._settings.udp_port)
        await self._tcp.open_tcp(self._settings.tcp_port)
        socket = await self._open_unix()
        spool, pid = str(self._spool), os.getpid()
        config = Config(
            pid,
            retake_version(),
            PROTOCOL_VERSION,
            self._udp.port,
            self._tcp.port,
            socket,
            spool,
            self._token,
        )
        write_private(self._folder / "server.conf", config.text())
        self._work = asyncio.create_task(self.app.runner.work())
        await self._files.open()
        chores = (self._keep_sweeping(), self._keep_tidying())
        self._chores = [asyncio.create_task(chore) for chore in chores]
        log.info("listening on udp %d, tcp %d%s", config.udp, config.tcp, socket and f", {socket}")
        return config

    async def _open_unix(self) -> str:
        path = self._folder / "server.sock"
        if sys.platform == "win32" or len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
            return ""
        await self._unix.open_unix(path)
        return str(path)

    async def _keep_sweeping(self) -> None:
        while True:
            try:
                swept = await sweep(self._spool, self._jobs, self._settings.keep)
            except (OSError, sqlite3.Error) as error:  # later, perhaps
                log.warning("the spool can't be swept: %s", error)
            else:
                if swept.n_files:
                    mib = swept.n_bytes / 2**20
                    log.info("removed %d old files, %.1f MiB", swept.n_files, mib)
            await asyncio.sleep(SWEEP_EVERY_S)

    async def _keep_tidying(self) -> None:
        n_tidied = 0
        while True:
            await asyncio.sleep(TIDY_EVERY_S)
            if self._jobs.n_commits - n_tidied >= TIDY_AFTER_COMMITS:
                n_tidied = self._jobs.n_commits
                try:
                    await asyncio.to_thread(self._jobs.tidy)
                except (OSError, sqlite3.Error) as error:
                    log.warning("the store of jobs can't be tidied: %s", error)

    async def wait(self) -> None:
        """Until the work ends: `app.runner.stop()` was called and the running job is over."""
        assert self._work
        await self._work

    async def close(self) -> None:
        """Stop at once; a job that runs is taken up again by the next server."""
        with contextlib.suppress(FileNotFoundError):
            (self._folder / "server.conf").unlink()
        if self._work:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        for door in (self._udp, self._tcp, self._unix, self._files):
            await door.close()
        with contextlib.suppress(OSError):
            (self._folder / "server.sock").unlink(missing_ok=True)
        await self._executor.stop()
        self.app.runner.give_back()
        await self.app.close()
        self._jobs.close()
        self._lock.free()


async def _serve(settings: Settings, console: Console) -> None:
    server = Server(settings)
    work = None
    showing = asyncio.create_task(_show(server.app, console))
    try:
        await server.open()
        work = asyncio.ensure_future(server.wait())
        _stop_on_signals(server.app, work)
        await asyncio.gather(work, return_exceptions=True)
        if not work.cancelled():
            work.result()
    finally:
        showing.cancel()
        console.show("")
        await server.close()


async def _show(app: App, console: Console) -> None:
    """Keep the status line true, where there is one."""
    while console.is_live:
        console.show(app.runner.summary())
        await asyncio.sleep(SHOW_EVERY_S)


def _stop_on_signals(app: App, work: asyncio.Future[None]) -> None:
    """The first Ctrl-C stops after the running job, the second at once; SIGTERM at once."""
    loop = asyncio.get_running_loop()
    n_asked = 0

    def ask() -> None:
        nonlocal n_asked
        n_asked += 1
        if n_asked == 1:
            log.info("stopping after the running job; once more to stop at once")
            app.runner.stop()
        else:
            work.cancel()

    if sys.platform == "win32":
        signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(ask))
    else:
        loop.add_signal_handler(signal.SIGINT, ask)
        loop.add_signal_handler(signal.SIGTERM, work.cancel)


def serve(settings: Settings) -> None:
    """Run a server in this process until it is stopped."""
    _allow_open_files()
    console = Console(is_json=settings.is_json_log)
    logging.basicConfig(level=logging.INFO, handlers=[console])
    asyncio.run(_serve(settings, console))


def _allow_open_files() -> None:
    """Ask the system for as many open files as all connections need."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _load_audio() -> None:
    """Load what reads and writes audio now: the first upload needn't wait half a second for it."""
    for name in ("scipy.io.wavfile", "soundfile"):
        await asyncio.to_thread(importlib.import_module, name)


@contextlib.contextmanager
def _said_plainly(folder: Path) -> Iterator[None]:
    """What keeps a server from starting in a folder, in a sentence."""
    try:
        yield
    except OSError as error:
        raise FaultError(
            "internal", f"{error.filename or folder} can't be used: {error.strerror or error}"
        ) from error
    except sqlite3.Error as error:
        raise FaultError(
            "internal",
            f"the store of jobs {folder / 'jobs.sqlite'} can't be used: {error}; "
            "end the program that holds it, or make room, and start again",
        ) from error
