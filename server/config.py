"""Where a server keeps its things, and the `server.conf` that tells clients how to reach it."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO

import platformdirs

from engine.errors import RequestError

STATE_VARIABLE = "RETAKE_STATE_DIR"


def state_folder(given: str | os.PathLike[str] | None = None) -> Path:
    """The state folder: as given, else $RETAKE_STATE_DIR, else the user's. It need not exist."""
    chosen = given or os.environ.get(STATE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_state_dir("retake", appauthor=False))


@dataclass(frozen=True)
class Config:
    """What `server.conf` says, one `key=value` line a field.

    Parameters
    ----------
    pid : int
    version : str
        Retake's.
    protocol : int
    udp, tcp : int
        Ports on 127.0.0.1.
    socket : str
        Path of the unix socket; empty where there is none.
    spool : str
        The folder takes are written to.
    token : str
        To be sent first in every request.
    """

    pid: int
    version: str
    protocol: int
    udp: int
    tcp: int
    socket: str
    spool: str
    token: str

    def text(self) -> str:
        """The file's text."""
        return "".join(f"{field.name}={getattr(self, field.name)}\n" for field in fields(self))


def new_token() -> str:
    """A token nobody guesses: 128 random bits."""
    return secrets.token_hex(16)


def write_private(path: Path, text: str) -> None:
    """Put a file of mode 0600 in place whole, over an older one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def make_private_folder(path: Path) -> Path:
    """The folder, made with mode 0700 where it isn't there yet."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    return path


class OneServer:
    """The lock that lets one server at a time use a state folder; it ends with its process."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "server.lock"
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Take the lock, or raise a RequestError (`conflict`) naming the process that has it."""
        file = open(self._path, "a+", encoding="utf-8")  # noqa: SIM115 (held as long as the server lives)
        try:
            _lock(file)
        except OSError:
            file.close()
            holder = self._path.with_suffix(".pid")
            pid = holder.read_text() if holder.exists() else "unknown"
            raise RequestError(
                "conflict",
                f"a server runs already in {self._path.parent} (pid {pid}); stop that one first",
            ) from None
        self._file = file
        # In a file of its own: Windows lets nobody read a locked one.
        self._path.with_suffix(".pid").write_text(str(os.getpid()))

    def free(self) -> None:
        """Let the next server in."""
        if self._file:
            with contextlib.suppress(OSError):
                self._path.with_suffix(".pid").unlink(missing_ok=True)
            self._file.close()
            self._file = None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
