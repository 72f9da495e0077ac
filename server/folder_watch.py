"""Names of files that are put into a folder, as they come: inotify on Linux, elsewhere nothing.

Elsewhere (and on network drives) the folder has to be looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

IN_CLOSE_WRITE, IN_MOVED_TO, IN_Q_OVERFLOW = 0x8, 0x80, 0x4000
_HEAD = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
READ_BYTES = 64 * 2**10


class FolderWatch:
    """Calls back on the running loop with the names that came.

    Parameters
    ----------
    folder : Path
    on_names : callable
        Called with names in the order they came; with none where some may have been missed.
    """

    def __init__(self, folder: Path, on_names: Callable[[list[str]], None]) -> None:
        self._folder, self._on_names = folder, on_names
        self._descriptor = -1

    @property
    def is_watching(self) -> bool:
        """Whether names come at all."""
        return self._descriptor >= 0

    def open(self) -> None:
        """Begin to watch, where the system can."""
        if sys.platform != "linux":
            return
        with contextlib.suppress(OSError, AttributeError):  # no inotify, or too many watches
            self._descriptor = _watch(self._folder)
            asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    def close(self) -> None:
        """Watch no more."""
        if self.is_watching:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return
        names, has_missed = parse_events(data)
        if has_missed:
            self._on_names([])
        elif names:
            self._on_names(names)


def parse_events(data: bytes) -> tuple[list[str], bool]:
    """The names in what inotify says, and whether it says that some are missing."""
    names: list[str] = []
    at, has_missed = 0, False
    while at + _HEAD.size <= len(data):
        _, mask, _, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        name = data[at : at + length].rstrip(b"\0")
        at += length
        has_missed |= bool(mask & IN_Q_OVERFLOW)
        if name:
            names.append(os.fsdecode(name))
    return names, has_missed


def _watch(folder: Path) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    if libc.inotify_add_watch(descriptor, os.fsencode(folder), IN_CLOSE_WRITE | IN_MOVED_TO) < 0:
        os.close(descriptor)
        raise OSError(ctypes.get_errno(), "inotify_add_watch")
    return int(descriptor)
