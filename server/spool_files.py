"""What is done to files of the spool: read with suspicion, replaced whole, counted, removed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from pathlib import Path

from engine.errors import FaultError, RequestError
from server.messages import MAX_TAKES
from server.spool import MAX_REQUEST_BYTES, take_job, take_path

#: O_NONBLOCK: a pipe that somebody put there must not hold the server up.
_SUSPICIOUS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
MIB = 2**20


def take_paths(spool: Path, job: str) -> list[Path]:
    """The takes that lie there under a job's name, whoever made them."""
    # Not by listing: a spool may hold 100,000 files. Not as Paths: they keep every name they see.
    paths = [os.fspath(take_path(spool, job, 1))]
    stem = paths[0].removesuffix("1.wav")
    paths += [f"{stem}{index}.wav" for index in range(2, MAX_TAKES + 1)]
    return [Path(path) for path in paths if os.path.lexists(path)]


def names_with_takes(spool: Path) -> set[str]:
    """Every job that has takes there."""
    with os.scandir(spool) as entries:
        return {take_job(entry.name) for entry in entries} - {""}


def replace_text(path: Path, text: str) -> None:
    """Put a text file in place whole; readers see the old one or the new one."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        # A file name may hold what isn't UTF-8; said in a text, it becomes a question mark.
        temporary.write_text(text, encoding="utf-8", errors="replace", newline="\n")
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_request(path: Path) -> bytes:
    """The bytes of a request file that this user wrote.

    Raises
    ------
    RequestError
        `bad-request`: a link, a folder, a pipe, another user's file, or one too large.
    FileNotFoundError
        Somebody took it away.
    """
    if path.is_symlink():
        raise RequestError("bad-request", "the request is a link; write the file itself")
    try:
        descriptor = os.open(path, _SUSPICIOUS)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RequestError(
            "bad-request", f"the request can't be read: {error.strerror}; write a plain file"
        ) from None
    try:
        _check_kind(os.fstat(descriptor))
    except RequestError:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:  # not before: it doesn't take folders
        return file.read(MAX_REQUEST_BYTES + 1)


def _check_kind(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise RequestError("bad-request", "the request is no plain file; write one")
    if found.st_nlink > 1:
        raise RequestError("bad-request", "the request is a link; write the file itself")
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        raise RequestError(
            "bad-request", f"the request belongs to user {found.st_uid}, not to the server's"
        )
    if found.st_size > MAX_REQUEST_BYTES:
        raise RequestError(
            "bad-request",
            f"the request has {found.st_size} bytes; at most {MAX_REQUEST_BYTES} are read",
        )


def remove(path: Path) -> bool:
    """Take a file (or a link, never what it leads to) away; whether it is gone."""
    with contextlib.suppress(FileNotFoundError):
        try:
            path.unlink()
        except OSError:
            return False
    return True


def check_room(folder: Path, wanted_bytes: int, spare_bytes: int) -> None:
    """A FaultError unless so much fits (`out-of-disk`) and so much stays free after it.

    `internal` where the folder can't be written at all.
    """
    if not os.access(folder, os.W_OK):
        raise FaultError("internal", f"{folder} can't be written; mount it or change its mode")
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < wanted_bytes + spare_bytes:
        raise FaultError(
            "out-of-disk",
            f"{free_bytes // MIB} MiB are free at {folder}; {wanted_bytes // MIB} MiB are needed "
            f"and {spare_bytes // MIB} MiB stay free; make room",
        )
