"""When a worker is beyond hope: it makes no progress, gives no sign of life, or eats the memory.

Only progress counts, never how long a job takes: a slow machine is not an error.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
#: Until its first sign of life a process has at least so long, whatever the limits: it is being
#: started, perhaps from a cold disk on a machine that is busy.
STARTING_S = 120.0


@dataclass(frozen=True)
class Limits:
    """What a worker may do to a machine before it is stopped; 0 switches a limit off.

    Parameters
    ----------
    stall_s : float
        A running job that says nothing new for so long is taken from the worker, which is started
        anew. It has to outlast the longest single step, not the job.
    silent_s : float
        So long without a heartbeat: the process is stuck, not slow.
    memory_bytes : int
        Resident memory above which the running job fails with `out-of-memory`.
    spare_bytes : int
        Disk space at the spool that jobs leave free.
    """

    stall_s: float = 600.0
    silent_s: float = 120.0
    memory_bytes: int = 0
    spare_bytes: int = 0


@dataclass(frozen=True)
class Verdict:
    """Why a worker has to go: `what` is "lost" (the job is tried again) or "fail"."""

    what: str
    code: str
    message: str


class Watchdog:
    """Watches one job on one worker.

    Parameters
    ----------
    limits : Limits
    clock : callable
        Seconds, for tests.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._progress: tuple[float, str] | None = None
        self._progress_s = self._beat_s = clock()
        self._memory_bytes, self._is_alive = 0, False

    def note_progress(self, fraction: float, stage: str) -> None:
        """The job said where it is; the same again is no progress."""
        self._beat_s, self._is_alive = self._clock(), True
        if (fraction, stage) != self._progress:
            self._progress, self._progress_s = (fraction, stage), self._beat_s

    def note_beat(self, memory_bytes: int) -> None:
        """The process lives and is so large (0: it can't tell)."""
        self._beat_s, self._memory_bytes = self._clock(), memory_bytes
        if not self._is_alive:  # a process that was just started: its imports are no stall
            self._is_alive, self._progress_s = True, self._beat_s

    def verdict(self) -> Verdict | None:
        """None while all is well."""
        now_s, limits = self._clock(), self._limits
        if 0 < limits.memory_bytes < self._memory_bytes:
            return Verdict("fail", "out-of-memory", self._fat())
        if not self._is_alive and now_s - self._beat_s < STARTING_S:
            return None
        if 0 < limits.stall_s < now_s - self._progress_s:
            where = f" in stage {self._progress[1]!r}" if self._progress else ""
            return Verdict("lost", "worker-died", f"no progress for {limits.stall_s:g} s{where}")
        if 0 < limits.silent_s < now_s - self._beat_s:
            return Verdict("lost", "worker-died", f"no sign of life for {limits.silent_s:g} s")
        return None

    def _fat(self) -> str:
        used, most = self._memory_bytes / GIB, self._limits.memory_bytes / GIB
        return (
            f"the job took {used:.2f} GiB of memory, {most:.2f} GiB are allowed; "
            "take a shorter region, or allow more with retake serve --memory-limit"
        )


def machine_memory_bytes() -> int:
    """The machine's memory; 0 where it can't be told."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0


def own_memory_bytes() -> int:
    """This process's resident memory (on macOS the most it ever was); 0 where it can't be told.

    On Linux with that of its children: a preset's plug-in runs in one.
    """
    if sys.platform == "win32":
        return 0
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return sum(map(_resident_bytes, ("self", *_children())))


def _children() -> list[str]:
    """Process ids; a thread that ends meanwhile, and a kernel without the list, have none."""
    found: list[str] = []
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):
            found += Path(f"/proc/self/task/{thread}/children").read_text("ascii").split()
    return found


def _resident_bytes(process: str) -> int:
    """0 of a process that has ended meanwhile."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
