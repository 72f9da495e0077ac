"""What is said about a job, made from the job itself."""

from __future__ import annotations

import math

from server.jobs import Job, State, TakeFile
from server.messages import build
from server.osc import Message


def take_event(job: Job, take: TakeFile) -> Message:
    """`/retake/take` for one take in the spool."""
    score = math.nan if take.score is None else take.score
    numbers = (take.frames, take.rate, take.channels, take.seed, score)
    return build("/retake/take", job.name, take.index, take.path, *numbers)


def ending(job: Job) -> list[Message]:
    """The last things said about a job that has ended: its takes, then done, fail or cancelled."""
    assert job.is_ended, job
    if job.state == State.FAILED:
        return [build("/retake/fail", job.name, job.code, job.message)]
    if job.state == State.CANCELLED:
        return [build("/retake/cancelled", job.name)]
    done = build("/retake/done", job.name, len(job.takes), job.seconds)
    return [*(take_event(job, take) for take in job.takes), done]


def seconds_left(fraction: float, elapsed_s: float) -> float:
    """How long a job will still run if it goes on as it has; -1 until a hundredth is done."""
    if fraction < 0.01:
        return -1.0
    return elapsed_s * (1.0 - fraction) / fraction
