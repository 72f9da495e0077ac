"""The jobs sent from this Live and what the server says of them. No sockets, nothing of Live."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field

from . import osc
from .clips import Source
from .form import Setting, short_text

WAITING, QUEUED, RUNNING, DONE = "waiting", "queued", "running", "done"
FAILED, CANCELLED, PLACED = "failed", "cancelled", "placed"
OPEN = (WAITING, QUEUED, RUNNING)
MAX_SEED = 2**31 - 1
KEPT = 50


@dataclass(frozen=True)
class SpoolTake:
    """A take on the server's disk."""

    index: int
    path: str
    frames: int
    rate: int
    channels: int
    seed: int
    score: float


@dataclass
class Job:
    """One job.

    Parameters
    ----------
    values : dict
        The form's settings it was made with, seed included.
    source : Source
    since_s : float
        When it was asked for.
    """

    values: dict[str, Setting]
    source: Source
    since_s: float
    name: str = field(default_factory=lambda: "live-" + uuid.uuid4().hex[:12])
    state: str = WAITING
    fraction: float = 0.0
    stage: str = ""
    seconds_left: float = -1.0
    is_told: bool = True
    is_cancelling: bool = False
    takes: dict[int, SpoolTake] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What it is called after."""
        return short_text(self.values)

    def request(self) -> list[osc.Value]:
        """What follows the token in submit."""
        pairs: list[osc.Value] = [self.name]
        for key, value in self.values.items():
            pairs += [key, value]
        if self.source.file_path:
            pairs += ["path", self.source.file_path, "start", self.source.start_frames]
            if self.source.frames is not None:
                pairs += ["frames", self.source.frames]
        if self.source.hole:
            pairs += ["hole", "{}:{}".format(*self.source.hole)]
        return pairs

    def recipe(self) -> dict[str, osc.Value]:
        """All that makes it again, but the model and a take's own seed."""
        pairs = self.request()[1:]
        return {str(key): value for key, value in zip(pairs[::2], pairs[1::2])}

    def hear(self, event: str, values: tuple[osc.Value, ...]) -> str:
        """Take an event in; why the job failed, where it did."""
        if self.state not in OPEN:
            return ""
        if event == "queued":
            self.state, self.stage = QUEUED, _ahead(values)
        elif event == "started":
            self.state, self.stage = RUNNING, "beginning"
        elif event == "progress":
            self.state = RUNNING
            fraction, stage, seconds_left = values[:3]
            self.fraction, self.seconds_left = _number(fraction), _number(seconds_left)
            self.stage = str(stage)
        elif event == "take":
            take = SpoolTake(*values[:7])  # type: ignore[arg-type]
            self.takes[take.index] = take
            return ""
        else:
            return self._end(event, values)
        self.is_told = False
        return ""

    def _end(self, event: str, values: tuple[osc.Value, ...]) -> str:
        if event == "done":
            self.state, self.fraction = DONE, 1.0
        elif event == "cancelled":
            self.state = CANCELLED
        elif event == "fail":
            self.state = FAILED
            return str(values[1])
        return ""


def _ahead(values: tuple[osc.Value, ...]) -> str:
    n = values[0] if values else 0
    return "waiting its turn" if n else "about to begin"


def _number(value: osc.Value) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


class Jobs:
    """The latest jobs, by name."""

    def __init__(self) -> None:
        self.by_name: dict[str, Job] = {}

    def add(self, values: dict[str, Setting], source: Source, now_s: float) -> Job:
        """A new job of these settings; without a seed it gets one of its own."""
        job = Job({"seed": new_seed(), **values}, source, now_s)
        self.by_name[job.name] = job
        for old in list(self.by_name.values())[:-KEPT]:
            if old.state not in (*OPEN, DONE):
                del self.by_name[old.name]
        return job

    def open(self) -> list[Job]:
        """Those the server still has to do, the latest last."""
        return [job for job in self.by_name.values() if job.state in OPEN]

    def latest(self) -> Job | None:
        """The one asked for last."""
        return next(reversed(list(self.by_name.values())), None)


def new_seed() -> int:
    """A seed nobody chose."""
    return random.randint(0, MAX_SEED)
