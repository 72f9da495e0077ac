"""Keeps the worker process alive and speaks with it: one job at a time, on this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from server.executor_process import STARTING, ProcessExecutor
from server.watchdog import Limits


def worker_command(
    model: str, device: str, ranker: str = "", threads: int = 0, is_compiled: bool = False
) -> list[str]:
    """How the worker is started; 0 threads are as many as there are cores."""
    # -P: whatever folder the server was started in, nothing is imported from there.
    options = ["--model", model, "--device", device, *(["--ranker", ranker] if ranker else [])]
    options += ["--threads", str(threads)] if threads else []
    options += ["--compile"] if is_compiled else []
    return [sys.executable, "-P", "-m", "server.worker", *options]


class LocalExecutor(ProcessExecutor):
    """The worker process of server/worker.py; one that died is started again, at once for a job.

    Parameters
    ----------
    command : sequence of str
        Starts the worker.
    model : str
    spool : Path
    limits : Limits
    """

    def __init__(
        self, command: Sequence[str], model: str, spool: Path, limits: Limits | None = None
    ) -> None:
        super().__init__(command, model, spool, limits or Limits(), slots=1)

    def _note_end(self) -> None:
        self.device = STARTING
        super()._note_end()
