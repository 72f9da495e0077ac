"""What runs jobs: the seam between the server and whoever owns a model.

`local` is one worker process on this machine (server/supervisor.py), `ray` a process that speaks
with a Ray cluster (server/ray_executor.py). The server knows neither, only an Executor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from server.jobs import TakeFile

EXECUTORS = ("local", "ray")


@dataclass(frozen=True)
class Outcome:
    """What came of a job: `what` is the event for TRANSITIONS: finish, fail, stop or lost."""

    what: str
    takes: tuple[TakeFile, ...] = ()
    code: str = ""
    message: str = ""


OnProgress = Callable[[float, str], None]


class Executor(Protocol):
    """Something that runs jobs.

    Attributes
    ----------
    model, device : str
        What hello says: the checkpoint of jobs that name none, and where it runs.
    slots : int
        How many jobs may run at once. It may change while the server runs, and be 0.
    on_slots : callable
        Called, on the server's loop, when `slots` has changed.
    """

    model: str
    device: str
    slots: int
    on_slots: Callable[[], None]

    async def start(self) -> None:
        """Get ready, so that the first job isn't slow."""

    async def run(self, job: str, submission: str, path: str, on_progress: OnProgress) -> Outcome:
        """Run one job to its end, whatever that is."""

    def cancel(self, job: str) -> None:
        """Stop a running job within one denoising step."""

    async def stop(self) -> None:
        """Give everything back."""
